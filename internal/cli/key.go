package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/server/maintenance"
)

func newKey() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "List and renew the secret keys",
		Long: `Key is about the secrets with which Evergate signs, each for one purpose. They are
made at the first start and kept in data_dir/keys, or come from where the
configuration says (keys.PURPOSE). It works on the files, so it must run on the
machine itself, as the user that Evergate runs as or as root.`,
	}
	return family(cmd, newKeyList(), newKeyRotate())
}

func newKeyList() *cobra.Command {
	var file, form string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the keys, never their secrets",
		Example: `  evergate key list`,
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := wantsJSON(form)
			if err != nil {
				return err
			}
			place, err := placeOf(file)
			if err != nil {
				return err
			}
			keys, err := place.Keys()
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(keys)
			}
			return writeLines(cmd.OutOrStdout(), keyLines(keys, time.Now()))
		},
	}
	addConfig(cmd, &file)
	addForm(cmd, &form)
	return cmd
}

func keyLines(keys []maintenance.Key, now time.Time) []string {
	t := newTable("PURPOSE", "KEY", "MADE", "USE", "KEPT IN")
	for _, k := range keys {
		use, kept := "verifies", "data_dir"
		if k.Current {
			use = "signs"
		}
		if k.Given != "" {
			kept = k.Given
		}
		t.row(k.Purpose, k.ID, ago(k.Made, now), use, kept)
	}
	return t.lines()
}

func newKeyRotate() *cobra.Command {
	var file string
	var drop bool
	cmd := &cobra.Command{
		Use:   "rotate PURPOSE",
		Short: "Make a new key; the old ones go on verifying",
		Long: `Rotate makes a new key for a purpose. What was signed with the keys before it is
still believed. If somebody may have seen the key, add --drop-old: then nothing
that was signed before is believed any more.

A running Evergate takes the new key up at its next reload.`,
		Example: `  evergate key rotate sticky && evergate reload
  evergate key rotate sticky --drop-old && evergate reload`,
		Args:              exactly(1),
		ValidArgsFunction: cobra.FixedCompletions(maintenance.Purposes(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			place, err := placeOf(file)
			if err != nil {
				return err
			}
			made, err := place.Rotate(args[0], drop)
			if err != nil {
				return err
			}
			old := "the ones before it go on verifying"
			if drop {
				old = "the ones before it are forgotten"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s has the new key %s; %s\na running Evergate takes it up by \"evergate reload\"\n", made.Purpose, made.ID, old)
			return err
		},
	}
	addConfig(cmd, &file)
	cmd.Flags().BoolVar(&drop, "drop-old", false, "forget the keys before it: what they have signed is not believed any more")
	return cmd
}

// placeOf is the Evergate whose files are meant.
func placeOf(file string) (*maintenance.Place, error) {
	path, err := findConfig(file)
	if err != nil {
		return nil, err
	}
	place, err := maintenance.At(path)
	if err != nil {
		return nil, configFailure(err)
	}
	return place, nil
}
