package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// CheckFiles reads the files that c names: certificates with their keys,
// authorities, and by page, which says what is wrong with one, page templates. It
// is apart from Load, which reads only the one file: what a path names may change
// without it. No problem: nil.
func CheckFiles(c *Config, page func(path string) error) []Problem {
	f := &files{cfg: c, page: page}
	var names []string // that the certificates of tls.files are good for
	for i, pair := range c.TLS.Files {
		at := fmt.Sprintf("tls.files[%d]", i)
		if leaf, err := keyPair(pair.Cert, pair.Key); err != nil {
			f.bad(at, "%v", err)
		} else {
			names = append(names, leaf.DNSNames...)
		}
	}
	if a := c.TLS.ACME; a != nil {
		f.authorities("tls.acme.directory_ca", a.DirectoryCA)
		if len(f.list) == 0 {
			f.patterns(names)
		}
	}
	f.authorities("tls.client_certs.ca", c.TLS.ClientCerts.CA)
	for _, name := range sortedKeys(c.Origins) {
		at, t := "origins."+name+".tls", c.Origins[name].TLS
		f.authorities(at+".ca", t.CA)
		if t.Cert != "" {
			if _, err := keyPair(t.Cert, t.Key); err != nil {
				f.bad(at+".cert", "%v", err)
			}
		}
	}
	f.template("pages.template", c.Pages.Template)
	for i, s := range c.Sites {
		if s.Pages != nil && s.Pages.Template != c.Pages.Template {
			f.template(fmt.Sprintf("sites[%d].pages.template", i), s.Pages.Template)
		}
	}
	sortProblems(f.list)
	return f.list
}

// files collects what is wrong with the files of a configuration.
type files struct {
	cfg  *Config
	page func(path string) error
	list []Problem
}

func (f *files) bad(path, format string, args ...any) {
	line, column := f.cfg.Place(path)
	f.list = append(f.list, Problem{File: f.cfg.File, Line: line, Column: column, Path: path, Message: fmt.Sprintf(format, args...)})
}

// keyPair reads a certificate and its key.
func keyPair(cert, key string) (*x509.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s with key %s: %w", cert, key, err)
	}
	if pair.Leaf == nil {
		return nil, errors.New("read certificate " + cert + ": it has no leaf")
	}
	return pair.Leaf, nil
}

// patterns holds the host patterns of the sites against names: ACME cannot help
// them with the challenges that there are.
func (f *files) patterns(names []string) {
	for i, s := range f.cfg.Sites {
		for j, h := range s.Hosts {
			if strings.HasPrefix(h, "*.") && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, h) }) {
				f.bad(fmt.Sprintf("sites[%d].hosts[%d]", i, j), "no certificate of tls.files is for %s, and ACME cannot get one for a pattern", h)
			}
		}
	}
}

func (f *files) authorities(at, path string) {
	if path == "" {
		return
	}
	data, err := os.ReadFile(path)
	switch {
	case err != nil:
		f.bad(at, "read authorities: %v", err)
	case !x509.NewCertPool().AppendCertsFromPEM(data):
		f.bad(at, "read authorities %s: it holds no PEM certificate", path)
	}
}

func (f *files) template(at, path string) {
	if path == "" {
		return
	}
	if err := f.page(path); err != nil {
		f.bad(at, "%v", err)
	}
}
