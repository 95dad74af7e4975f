package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Source is where the operator keeps the keys of a purpose. Exactly one field is
// set.
//
// The content is a file of this package, or text with one key to the line (the
// newest first, at least 32 characters each, as `openssl rand -base64 32` gives
// them; empty lines and lines that begin with # do not count), or, when
// anything in it is not printable, one key as it is. Two nodes that are to
// understand each other are given the same.
type Source struct {
	File       string // path; symlinks are followed, as secrets are mounted that way
	Credential string // name of a systemd credential (LoadCredential=NAME:PATH in the unit)
}

// path returns the file to read, or an error that says how to set it right.
func (s Source) path(credentials string) (string, error) {
	switch {
	case s.File != "" && s.Credential != "":
		return "", errors.New("file and credential are both set; keep one of them")
	case s.File != "":
		return s.File, nil
	case s.Credential == "":
		return "", errors.New("neither file nor credential is set")
	case s.Credential != filepath.Base(s.Credential) || s.Credential == "." || s.Credential == "..":
		return "", fmt.Errorf("%q is not the name of a credential; to read a path, set file", s.Credential)
	case credentials == "":
		return "", fmt.Errorf("credential %s: systemd has handed none over ($CREDENTIALS_DIRECTORY is not set); "+
			"add LoadCredential=%s:/path/of/the/key to the unit, or set file", s.Credential, s.Credential)
	}
	return filepath.Join(credentials, s.Credential), nil
}

// parseGiven reads the content of a source.
func parseGiven(purpose string, content []byte) ([]Key, error) {
	if bytes.HasPrefix(content, []byte(headerWord)) {
		return parse(purpose, content)
	}
	if !printable(content) {
		if len(content) < Size {
			return nil, tooShort(len(content))
		}
		return []Key{newKey(content, time.Time{})}, nil
	}
	var keys []Key
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(line) < Size {
			return nil, tooShort(len(line))
		}
		keys = append(keys, newKey([]byte(line), time.Time{}))
	}
	if len(keys) == 0 {
		return nil, errors.New("it is empty; a key is made by `openssl rand -base64 32`")
	}
	if len(keys) > KeepOld+1 {
		return nil, fmt.Errorf("it has %d keys, and each is tried at every verification; keep the newest %d", len(keys), KeepOld+1)
	}
	return keys, checkDouble(keys)
}

func tooShort(n int) error {
	return fmt.Errorf("a key in it is %d bytes long, at least %d are needed; a good one is made by `openssl rand -base64 32`", n, Size)
}

func printable(content []byte) bool {
	for _, c := range content {
		if c >= 0x7f || c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}
