package certs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"github.com/evergate/evergate/internal/config"
)

const (
	authorityTimeout = 30 * time.Second // of one request to the authority
	orderTimeout     = 5 * time.Minute  // of a whole order, validation included
	ordersAtOnce     = 4                // so that a first start with many names does not flood the authority
)

// acmeSettings decide with whom an authority speaks, and how. Comparable: two
// that are equal are the same authority.
type acmeSettings struct {
	directory  string
	email      string
	challenges string            // sorted as configured, separated by ","
	roots      [sha256.Size]byte // of directory_ca; zero: the system's
}

// authority is an ACME authority (RFC 8555) with our account there. It is what
// certmagic calls an issuer; certmagic's own one opens listeners of its own,
// tries again with another authority than the configured one, and has goroutines
// that outlive it. Its methods are safe for concurrent use.
type authority struct {
	settings  acmeSettings
	log       *slog.Logger
	transport *http.Transport
	solvers   map[string]acmez.Solver
	storage   *storage
	magic     *certmagic.Config
	slots     chan struct{} // full while ordersAtOnce orders are under way
}

var _ certmagic.Issuer = (*authority)(nil)

// acmeSettingsOf reads what a asks for. Errors: directory_ca cannot be read.
func acmeSettingsOf(a *config.ACME) (acmeSettings, *x509.CertPool, error) {
	s := acmeSettings{
		directory:  cmp.Or(a.Directory, certmagic.LetsEncryptProductionCA),
		email:      a.Email,
		challenges: strings.Join(a.Challenges, ","),
	}
	if a.DirectoryCA == "" {
		return s, nil, nil
	}
	pool, content, err := readPool(a.DirectoryCA)
	if err != nil {
		return s, nil, fmt.Errorf("tls.acme.directory_ca: %w", err)
	}
	s.roots = sha256.Sum256(content)
	return s, pool, nil
}

// newAuthority asks nobody yet. cache is certmagic's; it stays empty.
func newAuthority(s acmeSettings, roots *x509.CertPool, store *storage, c *challenges, cache *certmagic.Cache, log *slog.Logger) *authority {
	a := &authority{
		settings: s,
		log:      log,
		transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: authorityTimeout}).DialContext,
			TLSHandshakeTimeout:   authorityTimeout,
			ResponseHeaderTimeout: authorityTimeout,
			IdleConnTimeout:       authorityTimeout,
			TLSClientConfig:       &tls.Config{RootCAs: roots},
			ForceAttemptHTTP2:     true,
		},
		solvers: c.solvers(strings.Split(s.challenges, ",")),
		storage: store,
		slots:   make(chan struct{}, ordersAtOnce),
	}
	a.magic = certmagic.New(cache, certmagic.Config{
		Issuers:    []certmagic.Issuer{a},
		Storage:    store,
		Logger:     newZap(log),
		OCSP:       certmagic.OCSPConfig{DisableStapling: true},
		DisableARI: true, // ours; it belongs to the schedule
	})
	return a
}

// close lets go of idle connections. Whoever orders has been stopped before.
func (a *authority) close() { a.transport.CloseIdleConnections() }

// client returns a client for one order, so that each begins with a directory
// that is still true.
func (a *authority) client() *acmez.Client {
	return &acmez.Client{
		Client: &acme.Client{
			Directory:   a.settings.directory,
			HTTPClient:  &http.Client{Transport: a.transport, Timeout: authorityTimeout},
			UserAgent:   "Evergate",
			PollTimeout: orderTimeout,
			Logger:      slog.New(quiet{a.log.Handler()}),
		},
		ChallengeSolvers: a.solvers,
	}
}

// IssuerKey names the authority in the storage, as certmagic's own issuer does.
func (a *authority) IssuerKey() string {
	return (&certmagic.ACMEIssuer{CA: a.settings.directory}).IssuerKey()
}

// attempt travels in the context of an order.
type attempt struct {
	replaces *x509.Certificate // nil: the first one
	disk     error             // what the storage could not do
}

type attemptKey struct{}

// follows reports whether stored is to be used and not has, which may be nil.
func follows(stored, has *x509.Certificate) bool {
	if has == nil {
		return time.Now().Before(stored.NotAfter)
	}
	return stored.NotBefore.After(has.NotBefore)
}

func attemptOf(ctx context.Context) *attempt {
	t, _ := ctx.Value(attemptKey{}).(*attempt)
	return t
}

// errOrdered says that another node, which shares the storage, has ordered what
// was to be ordered, and that it lies there.
var errOrdered = errors.New("another node has ordered it")

// order gets a certificate for name and stores it. has is the one in use, nil if
// there is none; replaces the one whose place the new one takes, to be told to
// the authority, nil if nothing is to be told. It blocks until the authority has
// decided. Errors: errOrdered; the others are sorted by whyOf.
func (a *authority) order(ctx context.Context, name string, has, replaces *x509.Certificate) error {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	lock := "order_" + name // a keeper that was stopped may still be at it
	if err := a.storage.Lock(ctx, lock); err != nil {
		return err
	}
	defer a.storage.Unlock(ctx, lock)
	// All nodes find the renewal due at the same moment; the first one with the
	// lock has done it for the others.
	if c, err := a.stored(name); err == nil && follows(c.Leaf, has) {
		return errOrdered
	}
	t := &attempt{replaces: replaces}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, attemptKey{}, t), orderTimeout)
	defer cancel()

	var err error
	if a.renewable(ctx, name) {
		err = a.magic.RenewCertSync(ctx, name, true)
	} else {
		// What certmagic cannot read would keep it from ordering.
		site := certmagic.StorageKeys.CertsSitePrefix(a.IssuerKey(), name)
		if err := a.storage.Delete(ctx, site); err != nil {
			return fmt.Errorf("%w: %w", errDisk, err)
		}
		err = a.magic.ObtainCertSync(ctx, name)
	}
	switch {
	case t.disk != nil:
		return fmt.Errorf("%w: %w", errDisk, t.disk)
	case err != nil && ctx.Err() != nil:
		return errors.Join(ctx.Err(), err)
	}
	return err
}

// Issue is certmagic.Issuer: one order for one request.
func (a *authority) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	client := a.client()
	account, err := a.account(ctx, client)
	if err != nil {
		return nil, err
	}
	chain, err := a.obtain(ctx, client, account, csr)
	var problem acme.Problem
	if errors.As(err, &problem) && problem.Type == acme.ProblemTypeAccountDoesNotExist {
		// An authority that was set up anew has forgotten us.
		if err = a.forget(ctx); err != nil {
			return nil, err
		}
		if account, err = a.account(ctx, client); err != nil {
			return nil, err
		}
		chain, err = a.obtain(ctx, client, account, csr)
	}
	if err != nil {
		return nil, err
	}
	return &certmagic.IssuedCertificate{Certificate: chain.ChainPEM, Metadata: chain}, nil
}

func (a *authority) obtain(ctx context.Context, client *acmez.Client, account acme.Account, csr *x509.CertificateRequest) (acme.Certificate, error) {
	params, err := acmez.OrderParametersFromCSR(account, csr)
	if err != nil {
		return acme.Certificate{}, fmt.Errorf("read the request: %w", err)
	}
	if t := attemptOf(ctx); t != nil && a.issued(t.replaces) {
		params.Replaces = t.replaces // RFC 9773 section 5: does not count against limits
	}
	chains, err := client.ObtainCertificate(ctx, params)
	if err != nil {
		return acme.Certificate{}, err
	}
	if len(chains) == 0 {
		return acme.Certificate{}, errors.New("the authority sent no certificate")
	}
	return chains[0], nil // the one that the authority prefers
}

// renewalInfo asks when the authority would like a certificate to be renewed (RFC
// 9773), which it moves forward when it must revoke. Without a window: it does
// not say.
func (a *authority) renewalInfo(ctx context.Context, leaf *x509.Certificate) acme.RenewalInfo {
	if !a.issued(leaf) {
		return acme.RenewalInfo{}
	}
	ctx, cancel := context.WithTimeout(ctx, authorityTimeout) // with all repetitions
	defer cancel()
	info, err := a.client().GetRenewalInfo(ctx, leaf)
	if err != nil {
		// The share of its life decides, then; an authority that is down is
		// reported by the order that fails.
		a.log.Debug("no renewal information", "names", leaf.DNSNames, "error", err)
		return acme.RenewalInfo{}
	}
	return info
}
