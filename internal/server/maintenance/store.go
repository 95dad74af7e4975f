package maintenance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/migrations"
	"github.com/evergate/evergate/internal/cluster/store/sqlite"
	"github.com/evergate/evergate/internal/keyring"
)

// connectWithin is how long a store may take to be there.
const connectWithin = 20 * time.Second

// Backup writes the store to the new file to, whether an Evergate runs or not;
// with keys, also the secret keys of data_dir. Errors: store.ErrUsePgDump for
// PostgreSQL, store.ErrExists, fs.ErrNotExist when there is no store yet, and those
// of store.
func (p *Place) Backup(ctx context.Context, to string, keys bool, log *slog.Logger) error {
	to, err := filepath.Abs(to)
	if err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	if p.cfg.Store.URL.IsZero() {
		release, err := p.asItIs(ctx)
		if err != nil {
			return fmt.Errorf("back up the store: %w", err)
		}
		defer release()
	}
	var extra []string
	if keys {
		files, err := keyring.Files(p.DataDir())
		if err != nil {
			return err
		}
		for _, file := range files {
			name, err := filepath.Rel(p.DataDir(), file)
			if err != nil {
				return fmt.Errorf("back up the keys: %w", err)
			}
			extra = append(extra, name)
		}
	}
	s, err := p.connect(ctx, p.cfg.Store.URL.Reveal(), log)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Backup(ctx, to, extra...)
}

// asItIs says whether the store in data_dir may be opened without harm to an
// Evergate that runs: opening makes a store where there is none, and brings an
// older schema up to date, with which an older Evergate could not go on. Such a
// store is locked until release, so that none runs.
func (p *Place) asItIs(ctx context.Context) (release func(), err error) {
	path := filepath.Join(p.DataDir(), sqlite.FileName)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%w; has an Evergate ever run with this configuration?", err)
	}
	_, version, err := sqlite.Verify(ctx, path, migrations.VersionTable)
	if err != nil {
		return nil, advised(err)
	}
	if version >= migrations.Newest() {
		return func() {}, nil // a newer one is refused by Open
	}
	dir, err := p.alone("it is of an older release, whose own binary can do this while it runs")
	if err != nil {
		return nil, err
	}
	return func() { _ = dir.Close() }, nil // the process ends soon, and the lock with it
}

// Restore puts the backup from into data_dir, in which no Evergate may run. It
// replaces a store that is there only with force, and returns where the replaced
// files are kept. remembered is the last-good file of the settings, "" if there is
// none: what it has beyond the backup comes back at the next start. Errors:
// *datadir.InUseError, store.ErrExists, and those of store.
func (p *Place) Restore(ctx context.Context, from string, force bool) (kept []string, remembered string, err error) {
	if !p.cfg.Store.URL.IsZero() {
		return nil, "", errors.New("restore: the configuration names a PostgreSQL (store.url), which is restored by pg_restore or psql")
	}
	dir, err := p.alone("restore")
	if err != nil {
		return nil, "", err
	}
	defer dir.Close()
	kept, err = store.Restore(ctx, from, p.DataDir(), force)
	if err == nil {
		err = p.handOver()
	}
	if last := dir.Join(lastGood); exists(last) {
		remembered = last
	}
	return kept, remembered, err
}

// lastGood is the copy of the settings on this node's disk.
const lastGood = "settings.last-good.json"

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Migrate copies the store to the empty PostgreSQL at url, with its history. No
// Evergate may run with data_dir meanwhile. progress hears of rows copied so far.
// Errors: *datadir.InUseError, store.ErrExists for a database with content, and
// those of store.
func (p *Place) Migrate(ctx context.Context, url string, log *slog.Logger, progress func(table string, rows int)) error {
	dir, err := p.alone("migrate the store")
	if err != nil {
		return err
	}
	defer dir.Close()
	from, err := p.connect(ctx, p.cfg.Store.URL.Reveal(), log)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := p.connect(ctx, url, log)
	if err != nil {
		return err
	}
	defer to.Close()
	if err := store.Copy(ctx, from, to, progress); err != nil {
		return err
	}
	return p.handOver()
}

// connect opens a store and waits until it is there. An error carries the advice
// of the store.
func (p *Place) connect(ctx context.Context, url string, log *slog.Logger) (*store.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	s, err := store.Open(ctx, store.Options{Dir: p.DataDir(), URL: url, PollOnly: true, Log: log})
	if err != nil {
		return nil, advised(err)
	}
	for {
		changed := s.Changed()
		state := s.State()
		if !state.Lost {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, errors.Join(advised(state.Err), s.Close())
		}
	}
}

// advised is err with what to do about it.
func advised(err error) error {
	if advice := store.Advice(err); advice != "" {
		return fmt.Errorf("%w\n%s", err, advice)
	}
	return err
}
