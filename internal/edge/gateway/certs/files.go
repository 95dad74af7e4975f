package certs

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/evergate/evergate/internal/config"
)

// FileCert is a certificate in two files that somebody else renews. What cannot be
// read, or does not fit together, changes nothing: the certificate read before stays
// in use. It is for one goroutine at a time.
type FileCert struct {
	conf  config.CertFile
	cert  *tls.Certificate
	stamp fileStamp // of the files when cert was read
	why   string    // "" or why the files as they are now cannot be used
	told  string    // the problem that was logged last; "" if all is well
}

// ReadFileCert reads a certificate with its key for the first time. Errors: what the
// system says, or why the two are no pair.
func ReadFileCert(conf config.CertFile) (*FileCert, error) {
	f := &FileCert{conf: conf, stamp: stampOf(conf)}
	var err error
	if f.cert, _, err = readPair(conf); err != nil {
		return nil, err
	}
	return f, nil
}

// Certificate returns the one in use, with its leaf.
func (f *FileCert) Certificate() *tls.Certificate { return f.cert }

// Look reads the files again if they are others than before, or if they could
// not be used. changed says that cert is another one; problem is what to log, ""
// if there is nothing new to say.
func (f *FileCert) Look() (changed bool, problem string) {
	stamp := stampOf(f.conf) // before reading: a later write then shows as another change
	if f.why == "" && f.stamp.same(stamp) {
		return false, ""
	}
	cert, why, err := readPair(f.conf)
	f.stamp, f.why = stamp, why
	if err != nil {
		if err.Error() == f.told {
			return false, ""
		}
		f.told = err.Error()
		return false, f.told
	}
	f.told = ""
	changed = !slices.EqualFunc(f.cert.Certificate, cert.Certificate, bytes.Equal)
	f.cert = cert
	return changed, ""
}

// readPair reads a certificate and its key. why is "unreadable" or "invalid" with
// an error, else "".
func readPair(conf config.CertFile) (c *tls.Certificate, why string, err error) {
	chain, errCert := os.ReadFile(conf.Cert)
	key, errKey := os.ReadFile(conf.Key)
	if err := errors.Join(errCert, errKey); err != nil {
		return nil, "unreadable", fmt.Errorf("read certificate: %w", err)
	}
	c, err = parsePair(chain, key)
	if err != nil {
		return nil, "invalid", fmt.Errorf("read certificate %s with key %s: %w", conf.Cert, conf.Key, err)
	}
	return c, "", nil
}

// parsePair makes a certificate from PEM, with its leaf.
func parsePair(chain, key []byte) (*tls.Certificate, error) {
	c, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// fileStamp is what the system says of the two files: enough to notice a write, a
// rename over the old one and a symlink that points elsewhere.
type fileStamp struct{ cert, key fs.FileInfo } // nil: not there

func stampOf(conf config.CertFile) fileStamp {
	// What is wrong with a file is said by who reads it.
	cert, _ := os.Stat(conf.Cert)
	key, _ := os.Stat(conf.Key)
	return fileStamp{cert, key}
}

func (s fileStamp) same(other fileStamp) bool {
	return sameFile(s.cert, other.cert) && sameFile(s.key, other.key)
}

func sameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// namesOf returns what a certificate is good for: host names, patterns and IP
// addresses. Common names do not count; browsers ignore them, too.
func namesOf(c *tls.Certificate) []string {
	names := slices.Clone(c.Leaf.DNSNames)
	for _, ip := range c.Leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}
