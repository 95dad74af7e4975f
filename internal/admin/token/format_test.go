package token

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	parts := newParts()
	good := parts.text()
	if got, ok := Parse(good); !ok || got != parts {
		t.Errorf("%v was read as %v", parts, got)
	}
	for name, text := range map[string]string{
		"nothing":                "",
		"another prefix":         "ghp_" + good[4:],
		"capitals":               strings.ToUpper(good),
		"a letter too few":       good[:len(good)-1],
		"a letter too many":      good + "0",
		"a space at the end":     good + " ",
		"a letter of no token":   good[:len(good)-2] + "u" + good[len(good)-1:],
		"a line break in the id": "evg_\n" + good[5:],
		"a line break behind":    good[:len(good)-1] + "\n",
		"no line between":        strings.Replace(good[4:], "_", "0", 1),
		"bits that are left":     good[:len(good)-1] + "z",
	} {
		if got, ok := Parse(text); ok {
			t.Errorf("%s: %q was read as %v", name, text, got)
		}
	}
}

func TestPartsDoNotShowTheirSecret(t *testing.T) {
	parts := newParts()
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", parts)
	secret := parts.text()[len(prefix)+idSize+1:]
	for _, text := range []string{fmt.Sprint(parts), fmt.Sprintf("%+v %#v", parts, parts), log.String()} {
		if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprint(parts.Secret[:4])[1:]) || !strings.Contains(text, parts.ID) {
			t.Errorf("shown as %s", text)
		}
	}
}

func TestTokensDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		text := newParts().text()
		if seen[text] || len(text) != len(prefix)+idSize+1+secretSize {
			t.Fatal(text)
		}
		seen[text] = true
	}
}

func FuzzParse(f *testing.F) {
	f.Add("")
	f.Add("evg__")
	f.Add(newParts().text())
	f.Add("evg_" + strings.Repeat("0", idSize) + "_" + strings.Repeat("z", secretSize))
	f.Add("evg_" + strings.Repeat("\r", idSize) + "_" + strings.Repeat("\n", secretSize))
	f.Fuzz(func(t *testing.T, text string) {
		parts, ok := Parse(text)
		if !ok {
			if parts != (Parts{}) {
				t.Errorf("%q is no token, and yet %v came out", text, parts)
			}
			return
		}
		if again := parts.text(); again != text {
			t.Errorf("%q and %q are the same token", text, again)
		}
		if !IsKey(Key(parts.ID)) {
			t.Errorf("%q has an id that is no key's", text)
		}
	})
}

func TestKey(t *testing.T) {
	id := newParts().ID
	for key, want := range map[string]bool{
		Key(id): true, "tokens[]": false, "tokens[" + id: false, "tokens[" + id + "x]": false,
		"tokens[../../etc]": false, "log.level": false, "": false, Key(strings.ToUpper("abcdefgh")): false,
	} {
		if IsKey(key) != want {
			t.Errorf("%q: %t", key, !want)
		}
	}
	if err := Check("log.level", nil); err == nil {
		t.Error("log.level is taken for a token")
	}
	if err := Check(Key(id), nil); err != nil {
		t.Errorf("a token cannot be revoked: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	hash := strings.Repeat("0", 64)
	f.Add([]byte(`{"name":"x","role":"viewer","hash":"` + hash + `","created":"2021-06-08T07:00:00Z","by":"anna"}`))
	f.Add([]byte(`{"name":"x","role":"viewer","Role":"admin","hash":"` + hash + `","created":"2021-06-08T07:00:00Z","by":"anna","expires":"2021-06-08T07:00:00Z"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, value []byte) {
		d, _, err := read(value)
		if err != nil {
			return
		}
		if _, err := ParseRole(string(d.Role)); err != nil || checkName(d.Name) != nil {
			t.Errorf("%q was taken as %+v", value, d)
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if other, _, err := read(again); err != nil || other != d {
			t.Errorf("%q is %+v, and written again %+v, %v", value, d, other, err)
		}
	})
}
