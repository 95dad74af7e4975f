// Package maintenance is what the commands do to the files of an Evergate
// themselves, without asking it: its store and its keys. What must not happen
// under a running Evergate takes the lock of data_dir.
package maintenance

import (
	"fmt"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/keyring"
	"github.com/evergate/evergate/internal/server"
	"github.com/evergate/evergate/internal/server/datadir"
)

// Place is an Evergate as its configuration describes it.
type Place struct {
	cfg *config.Config
}

// At returns the Evergate of the configuration at path. Errors: those of server.Load.
func At(path string) (*Place, error) {
	cfg, _, err := server.Load(path)
	if err != nil {
		return nil, err
	}
	return &Place{cfg}, nil
}

// DataDir is its data folder.
func (p *Place) DataDir() string { return p.cfg.Node.DataDir }

// alone locks data_dir, so that no Evergate runs until the lock is closed. doing
// is what for, as in "restore". Errors: *datadir.InUseError, wrapped with what to do.
func (p *Place) alone(doing string) (*datadir.Dir, error) {
	dir, err := datadir.Open(p.cfg.Node.DataDir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; stop it first (systemctl stop evergate)", doing, err)
	}
	return dir, nil
}

// sources are where the configuration says that keys come from.
func (p *Place) sources() map[string]keyring.Source {
	all := map[string]keyring.Source{}
	for purpose, s := range p.cfg.Keys.Sources() {
		all[purpose] = keyring.Source{File: s.File, Credential: s.Credential}
	}
	return all
}
