package maintenance

import (
	"cmp"
	"os"
	"time"

	"github.com/evergate/evergate/internal/keyring"
)

// serviceCredentials is where systemd shows the credentials of the unit to root
// and to the unit's user; $CREDENTIALS_DIRECTORY is set inside the unit only.
const serviceCredentials = "/run/credentials/evergate.service"

// Key is one key, without its secret.
type Key struct {
	Purpose string    `json:"purpose"`
	ID      string    `json:"id"`
	Made    time.Time `json:"made,omitzero"`   // zero: not known, it was given
	Current bool      `json:"current"`         // signs; the others only verify
	Given   string    `json:"given,omitempty"` // the file or credential that it comes from, "" for data_dir
}

// Keys lists the keys of every purpose, in the order of the purposes, the current
// one of each first. Keys that there are none of yet are made.
func (p *Place) Keys() ([]Key, error) {
	ring, err := p.ring()
	if err != nil {
		return nil, err
	}
	var all []Key
	for _, purpose := range keyring.Purposes() {
		source, _ := ring.Given(purpose)
		given := source.File
		if source.Credential != "" {
			given = "credential " + source.Credential
		}
		for i, k := range ring.All(purpose) {
			all = append(all, Key{Purpose: purpose, ID: k.ID, Made: k.Made, Current: i == 0, Given: given})
		}
	}
	return all, nil
}

// Rotate makes a new current key for purpose; with drop, the old ones do not even
// verify any more. A running Evergate takes it up at its next reload. Errors are
// those of keyring.
func (p *Place) Rotate(purpose string, drop bool) (Key, error) {
	ring, err := p.ring()
	if err != nil {
		return Key{}, err
	}
	made, err := ring.Rotate(purpose)
	if err == nil && drop {
		err = ring.Drop(purpose)
	}
	return Key{Purpose: purpose, ID: made.ID, Made: made.Made, Current: true}, err
}

// Purposes are what there are keys for.
func Purposes() []string { return keyring.Purposes() }

func (p *Place) ring() (*keyring.Ring, error) {
	credentials := os.Getenv("CREDENTIALS_DIRECTORY")
	if _, err := os.Stat(serviceCredentials); err == nil {
		credentials = cmp.Or(credentials, serviceCredentials)
	}
	return keyring.Open(p.cfg.Node.DataDir, keyring.Options{Sources: p.sources(), Credentials: credentials})
}
