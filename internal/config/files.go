package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"html/template"
	"os"
)

// CheckFiles reads the files that c names: certificates, authorities, page
// templates. The error is a *Problems. It is apart from Load, which reads only
// the one file: what a path names may change without it.
func CheckFiles(c *Config) error {
	var list []Problem
	note := func(path string, err error) {
		if err != nil {
			list = append(list, Problem{File: c.File, Path: path, Message: err.Error()})
		}
	}
	for i, f := range c.TLS.Files {
		note(fmt.Sprintf("tls.files[%d]", i), keyPair(f.Cert, f.Key))
	}
	if a := c.TLS.ACME; a != nil {
		note("tls.acme.directory_ca", authorities(a.DirectoryCA))
	}
	note("tls.client_certs.ca", authorities(c.TLS.ClientCerts.CA))
	for _, name := range sortedKeys(c.Origins) {
		t := c.Origins[name].TLS
		note("origins."+name+".tls.ca", authorities(t.CA))
		note("origins."+name+".tls.cert", keyPair(t.Cert, t.Key))
	}
	note("pages.template", page(c.Pages.Template))
	for i, s := range c.Sites {
		if s.Pages != &c.Pages {
			note(fmt.Sprintf("sites[%d].pages.template", i), page(s.Pages.Template))
		}
	}
	if len(list) == 0 {
		return nil
	}
	return &Problems{List: list}
}

func keyPair(cert, key string) error {
	if cert == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", cert, key, err)
	}
	return nil
}

var errNoCertificate = errors.New("holds no PEM certificate")

func authorities(path string) error {
	if path == "" {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("authorities: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return fmt.Errorf("authorities %s: %w", path, errNoCertificate)
	}
	return nil
}

func page(path string) error {
	if path == "" {
		return nil
	}
	if _, err := template.ParseFiles(path); err != nil {
		return fmt.Errorf("page template: %w", err)
	}
	return nil
}
