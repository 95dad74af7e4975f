package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const maxToken = 4 << 10 // bytes of a token file

// ReadToken returns the token in a file, without the white space around it.
// warning is a sentence for a file that other users of this machine may read.
func ReadToken(path string) (token, warning string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", "", fmt.Errorf("read the token: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", "", fmt.Errorf("read the token: %w", err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0 {
		warning = fmt.Sprintf("everybody on this machine may read the token in %s; chmod 0600 it, and think about a new token", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", warning, fmt.Errorf("read the token: %w", err)
	}
	if len(data) > maxToken {
		return "", warning, fmt.Errorf("read the token: %s is too large for one; want a file that holds the token and nothing else", path)
	}
	token, err = CheckToken(string(data))
	if err != nil {
		return "", warning, fmt.Errorf("read the token in %s: %w", path, err)
	}
	return token, warning, nil
}

// CheckToken returns text without the white space around it, or an error when
// it cannot be a token. The error does not repeat the text: it may be a secret.
func CheckToken(text string) (string, error) {
	token := strings.TrimSpace(text)
	if token == "" {
		return "", errors.New("it is empty")
	}
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return "", errors.New("it has characters that no token has; want one line such as evg_...")
		}
	}
	return token, nil
}
