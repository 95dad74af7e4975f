package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/certstore"
	"github.com/evergate/evergate/internal/cluster/store"
)

// lost is a store that is never there.
type lost struct{}

var errLost = errors.New("the store is lost")

func (lost) Write(context.Context, func(*store.Tx) error) error { return errLost }
func (lost) Read(context.Context, func(*store.Tx) error) error  { return errLost }
func (lost) Listen(string) (<-chan struct{}, func())            { return nil, func() {} }

func TestS2_EveryNameIsServedFromDiskAfterAStartWithoutTheStore(t *testing.T) {
	n, o, directory := newNotary(t), newOffice(t), deaf(t)
	names := []string{"one.test", "two.test", "three.test"}
	for _, name := range names {
		o.stock(n, directory, name, n.sign(name))
	}
	o.manager.Close()

	storage := certstore.New(certstore.Options{Store: lost{}, Dir: o.dir, Holder: "x"})
	storage.Start()
	defer storage.Close()
	start := time.Now()
	o.manager = New(Options{Dir: o.dir, Storage: storage})
	defer o.manager.Close()
	conf := o.use(withACME(site(names...), directory))
	for _, name := range names {
		if _, err := shake(t, conf, &tls.Config{ServerName: name, RootCAs: n.pool()}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestAuthority_TakesWhatAnotherNodeHasOrderedMeanwhile(t *testing.T) {
	n := newNotary(t)
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const directory = "https://acme.test/dir"
	at := func(holder string) (*office, *authority) {
		o := newOffice(t)
		storage := certstore.New(certstore.Options{Store: s, Dir: filepath.Join(t.TempDir(), "certs"), Holder: holder})
		t.Cleanup(storage.Close)
		o.manager = New(Options{Dir: o.dir, Storage: storage})
		return o, newAuthority(acmeSettings{directory: directory, challenges: "http-01"}, nil, o.manager.storage, o.manager.challenges, o.certmagic(), o.manager.log)
	}
	here, _ := at("here")
	_, there := at("there")
	before := n.signUntil(time.Now().Add(time.Hour), "one.test")
	before.Leaf.NotBefore = before.Leaf.NotBefore.Add(-time.Hour)
	renewed := n.sign("one.test")
	here.stock(n, directory, "one.test", renewed)

	if err := there.order(t.Context(), "one.test", before.Leaf, before.Leaf); !errors.Is(err, errOrdered) {
		t.Errorf("the renewal was ordered again: %v", err)
	}
	if c, err := there.load("one.test"); err != nil || !c.Leaf.Equal(renewed.Leaf) {
		t.Errorf("what the other has is not here: %v", err)
	}
	if err := there.order(t.Context(), "one.test", nil, nil); !errors.Is(err, errOrdered) {
		t.Errorf("the first one was ordered again: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	there.slots <- struct{}{} // nobody is to be asked in this test
	for range cap(there.slots) - 1 {
		there.slots <- struct{}{}
	}
	cancel()
	if err := there.order(ctx, "one.test", renewed.Leaf, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the same one again: %v", err)
	}
}
