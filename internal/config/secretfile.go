package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// maxSecret bounds a file with a secret, in bytes.
const maxSecret = 64 << 10

// readSecretFile reads a file that holds nothing but a secret. Errors: what the
// system says of the file, and what cannot be a secret; none tells what stands in it.
func readSecretFile(path string) (string, fs.FileMode, error) {
	f, info, err := openPlain(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", 0, err
	}
	text, err := secretOf(data)
	if err != nil {
		return "", 0, fmt.Errorf("%s %w", path, err)
	}
	return text, info.Mode(), nil
}

// openPlain opens a plain file, and nothing else that has a path.
func openPlain(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe without a writer does not hold us
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a plain file", path)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// everybody warns of a file.
const everybody = "everybody on this machine can read or change %s; take that right away: chmod o-rw"

var (
	errSecretLarge = fmt.Errorf("is larger than %d KiB, which no secret is", maxSecret>>10)
	errSecretEmpty = errors.New("is empty")
	errSecretText  = errors.New(notText)
)

// secretOf is what a file with data holds: all of it but one line end, which
// editors and echo put behind it.
func secretOf(data []byte) (string, error) {
	if len(data) > maxSecret {
		return "", errSecretLarge
	}
	text := strings.TrimSuffix(string(data), "\n")
	if len(text) < len(data) {
		text = strings.TrimSuffix(text, "\r")
	}
	switch {
	case text == "":
		return "", errSecretEmpty
	case !isText(text):
		return "", errSecretText
	}
	return text, nil
}

// readSecrets fills in the secrets that stand in files of their own, which read reads.
func (k *checker) readSecrets(read func(path string) (string, fs.FileMode, error)) {
	type answer struct {
		text string
		mode fs.FileMode
		err  error
	}
	asked := map[string]answer{} // an alias can name one file very often
	for _, path := range sortedKeys(k.secrets) {
		h := k.secrets[path]
		if h.file == "" {
			continue
		}
		a, ok := asked[h.file]
		if !ok {
			a.text, a.mode, a.err = read(h.file)
			asked[h.file] = a
		}
		where := join(path, "file")
		if a.err != nil {
			k.problem(k.node(where), where, "read the secret: %v", a.err)
			k.unread[path] = true
			continue
		}
		if a.mode&0o006 != 0 {
			k.warn(where, everybody, h.file)
		}
		h.value, h.unread = &a.text, false
	}
}
