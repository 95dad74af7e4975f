package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The commands that work on the store itself, without asking an Evergate.

func newStoreBackup() *cobra.Command {
	var file string
	var keys bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the store into a new file, while Evergate runs or not",
		Long: `Backup writes one moment of the store into a new file: settings, levers and their
history, tokens (as hashes), certificates with their keys. The secret keys of
data_dir/keys go with it only with --with-keys. Keep the file where only those may
read it who may also read data_dir.

PostgreSQL is backed up by its own tools; the command says how.`,
		Example: `  evergate store backup /var/backups/evergate-$(date +%F).backup`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			place, err := placeOf(file)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if err := place.Backup(ctx, args[0], keys, warnings(cmd.ErrOrStderr())); err != nil {
				return err
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s has the store, %s\n", args[0], size(info.Size()))
			return err
		},
	}
	addConfig(cmd, &file)
	cmd.Flags().BoolVar(&keys, "with-keys", false, "also the secret keys that Evergate has made (data_dir/keys)")
	return cmd
}

func newStoreRestore() *cobra.Command {
	var file string
	var force bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Bring a backup back into data_dir; Evergate must be stopped",
		Long: `Restore puts a backup into data_dir. It is checked as a whole before anything is
touched. With --force it replaces a store that is there, which is kept beside it
under another name.`,
		Example: `  systemctl stop evergate
  evergate store restore /var/backups/evergate-2026-03-01.backup
  systemctl start evergate`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			place, err := placeOf(file)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			kept, remembered, err := place.Restore(ctx, args[0], force)
			lines := []string{"the store in " + place.DataDir() + " is that of " + args[0]}
			if err != nil {
				lines = nil
			}
			for _, path := range kept {
				lines = append(lines, "what was there is kept as "+path)
			}
			if remembered != "" && err == nil {
				lines = append(lines, wrap("", "What this node remembers of the time after the backup ("+filepath.Base(remembered)+
					") is brought back at the start. If you do not want that, move this file away before you start Evergate; "+tokensReturn)...)
			} else if err == nil {
				lines = append(lines, wrap("", "Nothing here remembers the time after the backup: "+tokensReturn)...)
			}
			if said := writeLines(cmd.OutOrStdout(), lines); err == nil {
				err = said
			}
			return err
		},
	}
	addConfig(cmd, &file)
	cmd.Flags().BoolVar(&force, "force", false, "replace a store that is there; it is kept beside")
	return cmd
}

// tokensReturn is what a person must know who brings back an old store.
const tokensReturn = "tokens that were revoked in it then work again, so look at evergate token list after the start."

func newStoreMigrate() *cobra.Command {
	var file, to, toFile string
	cmd := &cobra.Command{
		Use:   "migrate --to URL",
		Short: "Copy the store into an empty PostgreSQL; Evergate must be stopped",
		Long: `Migrate copies the store, with its history, into an empty PostgreSQL database. It
changes nothing in the old one. Then set store.url in the configuration and start
Evergate.

Other users of this machine see the command line: leave the password out of the
URL and give it as PGPASSWORD or in ~/.pgpass, or put the URL into a file.`,
		Example: `  systemctl stop evergate
  evergate store migrate --to postgres://evergate@db-1/evergate
  evergate store migrate --to-file /etc/evergate/store-url`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := migrateTo(to, toFile)
			if err != nil {
				return &exitError{code: exitUsage, err: err}
			}
			place, err := placeOf(file)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			rows := map[string]int{}
			err = place.Migrate(ctx, url, warnings(cmd.ErrOrStderr()), func(table string, n int) { rows[table] = n })
			if err != nil {
				return err
			}
			total := 0
			for _, n := range rows {
				total += n
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "copied %s of %s; now set store.url in the configuration and start Evergate\n", count(total, "row"), count(len(rows), "table"))
			return err
		},
	}
	addConfig(cmd, &file)
	cmd.Flags().StringVar(&to, "to", "", "`URL` of the empty database, postgres://USER@HOST/DATABASE")
	cmd.Flags().StringVar(&toFile, "to-file", "", "`file` with the URL")
	return cmd
}

// migrateTo reads where to.
func migrateTo(to, toFile string) (string, error) {
	if (to == "") == (toFile == "") {
		return "", errors.New("say one of --to URL and --to-file FILE")
	}
	if toFile != "" {
		text, err := os.ReadFile(toFile)
		if err != nil {
			return "", fmt.Errorf("read the URL: %w", err)
		}
		to = strings.TrimSpace(string(text))
	}
	if !strings.HasPrefix(to, "postgres://") && !strings.HasPrefix(to, "postgresql://") {
		return "", errors.New("the URL must begin with postgres://")
	}
	return to, nil
}

// warnings is a log of what a person should know.
func warnings(stderr io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
