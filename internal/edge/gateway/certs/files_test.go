package certs

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
)

func TestFileCert_NoticesEveryWayOfReplacingFiles(t *testing.T) {
	n := newNotary(t)
	tests := []struct {
		name    string
		replace func(t *testing.T, conf config.CertFile, chain, key []byte)
	}{
		{"both renamed over the old ones", func(_ *testing.T, conf config.CertFile, chain, key []byte) {
			n.write(conf.Key, key)
			n.write(conf.Cert, chain)
		}},
		{"both overwritten in place", func(_ *testing.T, conf config.CertFile, chain, key []byte) {
			n.overwrite(conf.Cert, chain)
			n.overwrite(conf.Key, key)
		}},
		{"renamed, with the old times and sizes", func(t *testing.T, conf config.CertFile, chain, key []byte) {
			for path, content := range map[string][]byte{conf.Cert: chain, conf.Key: key} {
				old, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				n.write(path, content)
				if err := os.Chtimes(path, time.Time{}, old.ModTime()); err != nil {
					t.Fatal(err)
				}
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conf := n.save(t.TempDir(), "one", n.sign("one.test"))
			f, err := ReadFileCert(conf)
			if err != nil {
				t.Fatal(err)
			}
			if changed, problem := f.Look(); changed || problem != "" {
				t.Fatalf("untouched: changed %v, problem %q", changed, problem)
			}
			next := n.sign("one.test")
			chain, key := n.pems(next)
			tt.replace(t, conf, chain, key)
			changed, problem := f.Look()
			if !changed || problem != "" || !f.cert.Leaf.Equal(next.Leaf) {
				t.Errorf("changed %v, problem %q, the new one in use: %v", changed, problem, f.cert.Leaf.Equal(next.Leaf))
			}
		})
	}
}

func TestFileCert_FollowsASymlinkThatIsPutElsewhere(t *testing.T) {
	n, dir := newNotary(t), t.TempDir()
	for _, version := range []string{"v1", "v2"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	n.save(filepath.Join(dir, "v1"), "one", n.sign("one.test"))
	next := n.sign("one.test")
	n.save(filepath.Join(dir, "v2"), "one", next)
	link := filepath.Join(dir, "current")
	if err := os.Symlink("v1", link); err != nil {
		t.Fatal(err)
	}
	f, err := ReadFileCert(config.CertFile{Cert: filepath.Join(link, "one.pem"), Key: filepath.Join(link, "one-key.pem")})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("v2", link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	if changed, problem := f.Look(); !changed || !f.cert.Leaf.Equal(next.Leaf) {
		t.Errorf("changed %v, problem %q", changed, problem)
	}
}

func TestFileCert_WhatDoesNotFitKeepsTheOldAndIsToldOnce(t *testing.T) {
	n := newNotary(t)
	old, next := n.sign("one.test"), n.sign("one.test")
	chain, key := n.pems(next)
	tests := []struct {
		name  string
		spoil func(t *testing.T, conf config.CertFile)
		why   string
	}{
		{"the certificate is there, its key not yet", func(_ *testing.T, conf config.CertFile) { n.write(conf.Cert, chain) }, "invalid"},
		{"the key is there, its certificate not yet", func(_ *testing.T, conf config.CertFile) { n.write(conf.Key, key) }, "invalid"},
		{"the certificate is written half", func(_ *testing.T, conf config.CertFile) { n.overwrite(conf.Cert, chain[:len(chain)/2]) }, "invalid"},
		{"the certificate is empty", func(_ *testing.T, conf config.CertFile) { n.overwrite(conf.Cert, nil) }, "invalid"},
		{"the key is gone", func(t *testing.T, conf config.CertFile) {
			if err := os.Remove(conf.Key); err != nil {
				t.Fatal(err)
			}
		}, "unreadable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conf := n.save(t.TempDir(), "one", old)
			f, err := ReadFileCert(conf)
			if err != nil {
				t.Fatal(err)
			}
			tt.spoil(t, conf)
			if changed, problem := f.Look(); changed || problem == "" || f.why != tt.why {
				t.Errorf("first look: changed %v, problem %q, why %q", changed, problem, f.why)
			}
			if changed, problem := f.Look(); changed || problem != "" {
				t.Errorf("second look: changed %v, problem told again: %q", changed, problem)
			}
			if !f.cert.Leaf.Equal(old.Leaf) {
				t.Error("the old certificate is not in use")
			}
			n.write(conf.Cert, chain)
			n.write(conf.Key, key)
			if changed, problem := f.Look(); !changed || problem != "" || f.why != "" || !f.cert.Leaf.Equal(next.Leaf) {
				t.Errorf("made whole: changed %v, problem %q, why %q", changed, problem, f.why)
			}
		})
	}
}

func TestFileCert_TouchedFilesAreNoChange(t *testing.T) {
	n := newNotary(t)
	conf := n.save(t.TempDir(), "one", n.sign("one.test"))
	f, err := ReadFileCert(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(conf.Cert, time.Time{}, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if changed, problem := f.Look(); changed || problem != "" {
		t.Errorf("changed %v, problem %q", changed, problem)
	}
}
