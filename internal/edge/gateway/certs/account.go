package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// accountFile is an account at the authority as it is stored.
type accountFile struct {
	Account acme.Account `json:"account"`
	Key     string       `json:"key"` // PEM
}

// account returns our account at the authority, which is made when there is
// none: with tls.acme in the file, the operator has agreed to its terms. Other
// orders wait meanwhile, so that there is one account and not one per name.
func (a *authority) account(ctx context.Context, client *acmez.Client) (acme.Account, error) {
	lock := "account_" + a.accountKey()
	if err := a.storage.Lock(ctx, lock); err != nil {
		return acme.Account{}, err
	}
	defer a.storage.Unlock(ctx, lock)

	account, err := a.storedAccount(ctx)
	switch {
	case err == nil:
		return account, nil
	case !notStored(err):
		// A new account costs nothing but its key; without one nothing is renewed.
		a.log.Warn("the stored ACME account cannot be used; a new one is made", "error", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return acme.Account{}, fmt.Errorf("make a key: %w", err)
	}
	account = acme.Account{TermsOfServiceAgreed: true, PrivateKey: key}
	if a.settings.email != "" {
		account.Contact = []string{"mailto:" + a.settings.email}
	}
	if account, err = client.NewAccount(ctx, account); err != nil {
		return acme.Account{}, fmt.Errorf("register with the authority: %w", err)
	}
	secret, err := certmagic.PEMEncodePrivateKey(key)
	if err != nil {
		return acme.Account{}, fmt.Errorf("encode a key: %w", err)
	}
	content, err := json.Marshal(accountFile{account, string(secret)})
	if err != nil {
		return acme.Account{}, fmt.Errorf("encode the account: %w", err)
	}
	if err := a.storage.Store(ctx, a.accountKey(), content); err != nil {
		return acme.Account{}, fmt.Errorf("save the account: %w", err)
	}
	a.log.Info("registered with the ACME authority", "directory", a.settings.directory, "account", account.Location)
	return account, nil
}

func (a *authority) storedAccount(ctx context.Context) (acme.Account, error) {
	content, err := a.storage.Load(ctx, a.accountKey())
	if err != nil {
		return acme.Account{}, fmt.Errorf("read the account: %w", err)
	}
	return parseAccount(content)
}

// parseAccount reads what account has stored.
func parseAccount(content []byte) (acme.Account, error) {
	var f accountFile
	if err := json.Unmarshal(content, &f); err != nil {
		return acme.Account{}, fmt.Errorf("parse the account: %w", err)
	}
	key, err := certmagic.PEMDecodePrivateKey([]byte(f.Key))
	if err != nil {
		return acme.Account{}, fmt.Errorf("parse the key of the account: %w", err)
	}
	if f.Account.Location == "" || f.Account.Status != acme.StatusValid {
		return acme.Account{}, errors.New("parse the account: it is not a valid one")
	}
	f.Account.PrivateKey = key
	return f.Account, nil
}

// forget removes the stored account.
func (a *authority) forget(ctx context.Context) error {
	a.log.Warn("the ACME authority does not know our account any more; a new one is made", "directory", a.settings.directory)
	if err := a.storage.Delete(ctx, a.accountKey()); err != nil {
		return fmt.Errorf("remove the account: %w", err)
	}
	return nil
}

// accountKey is where the account lies in the storage: one for each authority and
// address.
func (a *authority) accountKey() string {
	who := "nobody"
	if a.settings.email != "" {
		who = a.settings.email
	}
	return path.Join("accounts", certmagic.StorageKeys.Safe(a.IssuerKey()), certmagic.StorageKeys.Safe(who)+".json")
}
