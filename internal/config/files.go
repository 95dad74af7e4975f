package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// CheckFiles reads the files that c names: certificates with their keys,
// authorities, and by page, which says what is wrong with one, page templates. It
// is apart from Load, which reads only the one file and its secrets: what a path
// names may change without it. It warns of certificates that are over, or soon will be, at now, and
// of hosts that no certificate is for. No problem: nil.
func CheckFiles(c *Config, page func(path string) error, now time.Time) ([]Problem, []Warning) {
	f := &files{cfg: c, page: page}
	var names []string // that the certificates of tls.files are good for
	for i, pair := range c.TLS.Files {
		at := fmt.Sprintf("tls.files[%d]", i)
		leaf, err := keyPair(pair.Cert, pair.Key)
		if err != nil {
			f.bad(at, "%v", err)
			continue
		}
		names = append(names, leaf.DNSNames...)
		for _, ip := range leaf.IPAddresses {
			names = append(names, ip.String())
		}
		f.age(at, pair.Cert, leaf, now)
	}
	if len(f.list) == 0 && len(c.Listen.HTTPS) > 0 && len(c.TLS.Files) > 0 && c.TLS.ACME == nil && !c.TLS.Local {
		f.uncovered(names)
	}
	if a := c.TLS.ACME; a != nil {
		f.authorities("tls.acme.directory_ca", a.DirectoryCA)
		if len(f.list) == 0 {
			f.patterns(names)
		}
	}
	f.authorities("tls.client_certs.ca", c.TLS.ClientCerts.CA)
	f.admin(now)
	f.keys()
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
	sortProblems(f.warnings)
	return f.list, f.warnings
}

// files collects what is wrong with the files of a configuration.
type files struct {
	cfg  *Config
	page func(path string) error

	list     []Problem
	warnings []Warning
}

func (f *files) bad(path, format string, args ...any) {
	line, column := f.cfg.Place(path)
	f.list = append(f.list, Problem{File: f.cfg.File, Line: line, Column: column, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (f *files) warn(path, format string, args ...any) {
	line, column := f.cfg.Place(path)
	f.warnings = append(f.warnings, Warning{File: f.cfg.File, Line: line, Column: column, Path: path, Message: fmt.Sprintf(format, args...)})
}

// soon is how long before its end a certificate is worth a word.
const soon = 7 * 24 * time.Hour

// age warns of a certificate whose time is over, not yet come, or nearly over.
func (f *files) age(at, path string, leaf *x509.Certificate, now time.Time) {
	day := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
	switch {
	case now.After(leaf.NotAfter):
		f.warn(at, "certificate %s is over since %s; visitors are warned off", path, day(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		f.warn(at, "certificate %s is not good before %s", path, day(leaf.NotBefore))
	case leaf.NotAfter.Sub(now) < soon:
		f.warn(at, "certificate %s ends on %s", path, day(leaf.NotAfter))
	}
}

// uncovered warns of hosts of sites that none of names is for.
func (f *files) uncovered(names []string) {
	for i, s := range f.cfg.Sites {
		f.uncoveredOf(fmt.Sprintf("sites[%d].hosts", i), s.Hosts, names)
		f.uncoveredOf(fmt.Sprintf("sites[%d].redirect_from", i), s.RedirectFrom, names)
	}
}

func (f *files) uncoveredOf(at string, hosts, names []string) {
	for i, h := range hosts {
		if h != "*" && !slices.ContainsFunc(names, func(n string) bool { return covers(n, h) }) {
			f.warn(fmt.Sprintf("%s[%d]", at, i), "no certificate of tls.files is for %s; visitors who come by https are warned off", h)
		}
	}
}

// covers reports whether a certificate for name is good for host, which may be a
// pattern (RFC 9525 section 6.3).
func covers(name, host string) bool {
	if strings.EqualFold(name, strings.Trim(host, "[]")) {
		return true
	}
	parent, isPattern := strings.CutPrefix(name, "*.")
	label, rest, _ := strings.Cut(host, ".")
	return isPattern && label != "" && strings.EqualFold(rest, parent)
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

// admin checks the certificate of the admin listener.
func (f *files) admin(now time.Time) {
	pair := f.cfg.Admin.TLS
	if pair == nil {
		return
	}
	leaf, err := keyPair(pair.Cert, pair.Key)
	if err != nil {
		f.bad("admin.tls", "%v", err)
		return
	}
	f.age("admin.tls", pair.Cert, leaf, now)
}

// keys checks that the files of keys can be read, by nobody too many. What stands
// in them the keyring finds out.
func (f *files) keys() {
	sources := f.cfg.Keys.Sources()
	for _, purpose := range sortedKeys(sources) {
		at, path := "keys."+purpose+".file", sources[purpose].File
		if path == "" {
			continue
		}
		file, info, err := openPlain(path)
		if err != nil {
			f.bad(at, "read the key: %v", err)
			continue
		}
		file.Close()
		if info.Mode()&0o006 != 0 {
			f.warn(at, everybody, path)
		}
	}
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
