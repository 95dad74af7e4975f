package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/caddyserver/certmagic"
)

// issued reports whether a stored certificate of this authority is c: another one
// would not know what is replaced.
func (a *authority) issued(c *x509.Certificate) bool {
	if c == nil || len(c.AuthorityKeyId) == 0 || len(c.DNSNames) == 0 {
		return false
	}
	stored, err := a.stored(c.DNSNames[0])
	return err == nil && stored.Leaf.Equal(c)
}

// load returns the certificate that lies on disk for name. Errors: fs.ErrNotExist
// if there is none; what is wrong with it. A copy in one file stands in for a
// pair that a crash or a full disk has torn.
func (a *authority) load(name string) (*tls.Certificate, error) {
	c, err := a.stored(name)
	if err == nil {
		return c, nil
	}
	whole, errWhole := a.storage.Load(context.Background(), a.wholeKey(name))
	if errWhole != nil {
		return nil, err
	}
	if c, errWhole = parsePair(whole, whole); errWhole != nil {
		return nil, errors.Join(err, errWhole)
	}
	return c, nil
}

// stored reads certmagic's two files.
func (a *authority) stored(name string) (*tls.Certificate, error) {
	chain, key, err := a.read(name)
	if err != nil {
		return nil, err
	}
	c, err := parsePair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("stored certificate of %s: %w", name, err)
	}
	return c, nil
}

func (a *authority) read(name string) (chain, key []byte, err error) {
	ctx, issuer := context.Background(), a.IssuerKey()
	chain, errChain := a.storage.Load(ctx, certmagic.StorageKeys.SiteCert(issuer, name))
	key, errKey := a.storage.Load(ctx, certmagic.StorageKeys.SitePrivateKey(issuer, name))
	if err := errors.Join(errChain, errKey); err != nil {
		return nil, nil, fmt.Errorf("stored certificate of %s: %w", name, err)
	}
	return chain, key, nil
}

// save keeps the copy in one file. It is written at once or not at all.
func (a *authority) save(name string) error {
	chain, key, err := a.read(name)
	if err != nil {
		return err
	}
	return a.storage.Store(context.Background(), a.wholeKey(name), append(append(chain, '\n'), key...))
}

func (a *authority) wholeKey(name string) string {
	return "whole/" + certmagic.StorageKeys.Safe(a.IssuerKey()) + "/" + certmagic.StorageKeys.Safe(name) + ".pem"
}

// renewable reports whether all that certmagic reads before it renews is sound.
func (a *authority) renewable(ctx context.Context, name string) bool {
	if _, err := a.stored(name); err != nil {
		return false
	}
	meta, err := a.storage.Load(ctx, certmagic.StorageKeys.SiteMeta(a.IssuerKey(), name))
	return err == nil && isObject(meta)
}

// notStored reports whether err says that there is simply no certificate yet.
func notStored(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// isObject reports whether content is a JSON object.
func isObject(content []byte) bool {
	var any map[string]json.RawMessage
	return json.Unmarshal(content, &any) == nil
}
