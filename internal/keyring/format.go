package keyring

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// headerWord begins every file of this package.
const headerWord = "evergate keys "

// KeepOld is how many keys before the current one are kept by a rotation.
const KeepOld = 4

// format is the content of the file of a purpose; see the package's comment.
func format(purpose string, keys []Key) []byte {
	var b strings.Builder
	b.WriteString(headerWord + purpose + "\n")
	b.WriteString("# Secret. A line taken out is a key that no longer verifies.\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "%s %s %s\n", k.ID, k.Made.Format(time.RFC3339), base64.RawStdEncoding.EncodeToString(k.secret))
	}
	b.WriteString("end\n")
	return []byte(b.String())
}

// parse reads what format has written. At least one key is returned, the newest
// first, or an error that says what is wrong with the content.
func parse(purpose string, content []byte) ([]Key, error) {
	if len(content) == 0 {
		return nil, errors.New("it is empty")
	}
	header, rest, _ := strings.Cut(string(content), "\n")
	name, isKeys := strings.CutPrefix(header, headerWord)
	if !isKeys {
		return nil, errors.New("its first line is not that of a file of keys")
	}
	if name != purpose {
		return nil, fmt.Errorf("it has the keys of %q and not of %q", name, purpose)
	}
	body, ends := strings.CutSuffix(rest, "end\n")
	if !ends || body != "" && !strings.HasSuffix(body, "\n") {
		return nil, errors.New("its end is missing")
	}
	var keys []Key
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, err := parseLine(line)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key in it")
	}
	if len(keys) > KeepOld+1 {
		return nil, fmt.Errorf("it has %d keys and %d are the most", len(keys), KeepOld+1)
	}
	return keys, checkDouble(keys)
}

// parseLine says of a bad line which it is by its id, never by its secret.
func parseLine(line string) (Key, error) {
	fields := strings.Split(line, " ")
	if len(fields) != 3 {
		return Key{}, errors.New("a line in it has not three fields")
	}
	made, err := time.Parse(time.RFC3339, fields[1])
	if err != nil {
		return Key{}, fmt.Errorf("the time of key %.16q in it cannot be read", fields[0])
	}
	secret, err := base64.RawStdEncoding.Strict().DecodeString(fields[2])
	if err != nil || len(secret) < Size {
		return Key{}, fmt.Errorf("key %.16q in it is damaged", fields[0])
	}
	k := newKey(secret, made)
	if k.ID != fields[0] {
		return Key{}, fmt.Errorf("key %.16q in it is damaged", fields[0])
	}
	return k, nil
}

// checkDouble refuses the same key twice: the operator meant another.
func checkDouble(keys []Key) error {
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[k.ID] {
			return fmt.Errorf("key %s is in it twice", k.ID)
		}
		seen[k.ID] = true
	}
	return nil
}
