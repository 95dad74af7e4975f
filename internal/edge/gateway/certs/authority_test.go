package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"testing"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

// certmagic returns a cache that ends with the test.
func (o *office) certmagic() *certmagic.Cache {
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return nil, errors.New("none") },
		Logger:           newZap(o.manager.log),
	})
	o.t.Cleanup(cache.Stop)
	return cache
}

func TestAuthority_LoadsWhatLiesOnDisk(t *testing.T) {
	n := newNotary(t)
	first, second := n.sign("one.test"), n.sign("one.test")
	chain, key := n.pems(second)
	const site = "certificates/acme.test-dir/one.test/one.test"
	tests := []struct {
		name      string
		change    map[string][]byte // files to replace; nil: removed
		want      string            // "first" (from the pair), "second" (from the copy), "none" or "broken"
		renewable bool
	}{
		{"a pair", nil, "first", true},
		{"nothing at all", map[string][]byte{site + ".crt": nil, site + ".key": nil}, "none", false},
		{"a key that belongs to another", map[string][]byte{site + ".key": key}, "broken", false},
		{"a torn certificate", map[string][]byte{site + ".crt": chain[:100]}, "broken", false},
		{"a torn pair with a copy", map[string][]byte{site + ".crt": nil, "whole/acme.test-dir/one.test.pem": append(chain, key...)}, "second", false},
		{"a torn pair with a torn copy", map[string][]byte{site + ".crt": nil, "whole/acme.test-dir/one.test.pem": chain}, "none", false},
		{"a pair whose description is torn", map[string][]byte{site + ".json": []byte(`{"sans":`)}, "first", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			a := o.stock(n, "https://acme.test/dir", "one.test", first)
			for file, content := range tt.change {
				err := a.storage.Delete(t.Context(), file)
				if content != nil {
					err = a.storage.Store(t.Context(), file, content)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			c, err := a.load("one.test")
			got := "broken"
			switch {
			case err == nil && c.Leaf.Equal(first.Leaf):
				got = "first"
			case err == nil && c.Leaf.Equal(second.Leaf):
				got = "second"
			case notStored(err):
				got = "none"
			}
			if got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
			if a.renewable(t.Context(), "one.test") != tt.renewable {
				t.Errorf("renewable: %v", !tt.renewable)
			}
		})
	}
}

func TestAuthority_TheCopyIsTheCertificateInUse(t *testing.T) {
	n, o := newNotary(t), newOffice(t)
	c := n.sign("one.test")
	a := o.stock(n, "https://acme.test/dir", "one.test", c)
	if err := a.save("one.test"); err != nil {
		t.Fatal(err)
	}
	if err := a.storage.Delete(t.Context(), "certificates"); err != nil {
		t.Fatal(err)
	}
	loaded, err := a.load("one.test")
	if err != nil || !loaded.Leaf.Equal(c.Leaf) {
		t.Errorf("got %v", err)
	}
}

// account returns a stored account.
func storedAccount(t testing.TB, a acme.Account) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := certmagic.PEMEncodePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	content, err := json.Marshal(accountFile{a, string(secret)})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestParseAccount(t *testing.T) {
	good := acme.Account{Status: acme.StatusValid, Location: "https://acme.test/account/1"}
	a, err := parseAccount(storedAccount(t, good))
	if err != nil || a.Location != good.Location || a.PrivateKey == nil {
		t.Errorf("a good one: %+v, %v", a, err)
	}
	for name, content := range map[string][]byte{
		"nothing":           nil,
		"torn":              storedAccount(t, good)[:40],
		"no key":            []byte(`{"account":{"status":"valid","location":"x"}}`),
		"a deactivated one": storedAccount(t, acme.Account{Status: acme.StatusDeactivated, Location: "x"}),
	} {
		if _, err := parseAccount(content); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseAccount(f *testing.F) {
	f.Add(storedAccount(f, acme.Account{Status: acme.StatusValid, Location: "x"}))
	f.Add([]byte(`{"account":{"status":"valid","location":"x"},"key":"-----BEGIN EC PRIVATE KEY-----\n-----END EC PRIVATE KEY-----"}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if a, err := parseAccount(content); err == nil && (a.PrivateKey == nil || a.Location == "") {
			t.Error("an account that cannot be used")
		}
	})
}

func TestAuthority_WaitsForItsTurnNoLongerThanAsked(t *testing.T) {
	n, o := newNotary(t), newOffice(t)
	a := o.stock(n, "https://acme.test/dir", "one.test", n.sign("one.test"))
	for range ordersAtOnce {
		a.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.order(ctx, "one.test", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
