package config

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v3"
)

const marker = "hunter2" // every secret of the tests of this package holds it

// tells reports whether text holds the marker in any form that fmt can give it.
func tells(text string) bool {
	low := strings.ToLower(text)
	bare := strings.NewReplacer(" ", "", "0x", "", ",", "").Replace(low)
	return strings.Contains(low, marker) || strings.Contains(bare, hex.EncodeToString([]byte(marker))) ||
		strings.Contains(bare, "104117110116101114") || strings.Contains(bare, "u+0068u+0075u+006e")
}

// holders are a secret in every place where it can be printed from.
func holders(t *testing.T) map[string]any {
	t.Helper()
	s := NewSecret(marker + " of the test")
	h := HeaderValue{held: s.held}
	c, _, err := understand("f", "/d", read(t, "testdata/operators.good.yaml"), environment, surroundings{secret: fileSays})
	if err != nil {
		t.Fatal(err)
	}
	type open struct{ S Secret }
	type closed struct {
		s Secret
		h HeaderValue
	}
	return map[string]any{
		"a secret": s, "a pointer to it": &s, "a header value": h, "a pointer to that": &h,
		"a list": []Secret{s}, "a map": map[string]HeaderValue{"a": h}, "a name of a map": map[Secret]int{s: 1},
		"an exported field": open{s}, "an unexported field": closed{s, h}, "a pointer to one": &closed{s, h},
		"an interface": []any{s, h}, "a whole configuration": c, "a part of one": *c.Chat.Slack, "a site": c.Sites[0],
	}
}

func fileSays(path string) (string, fs.FileMode, error) {
	if strings.Contains(path, "database") {
		return "postgres://evergate:hunter2@db.internal,db2.internal:5433/door?sslmode=verify-full&password=hunter2", 0o600, nil
	}
	return marker + " of a file", 0o600, nil
}

func TestSecret_IsShownByNoVerb(t *testing.T) {
	for name, v := range holders(t) {
		for verb := '!'; verb <= '~'; verb++ {
			for _, flags := range []string{"", "+", "#", "-", " ", "0", "20", ".5", "+#", "# "} {
				format := "%" + flags + string(verb)
				if got := fmt.Sprintf(format, v); tells(got) {
					t.Fatalf("%s, printed by %s: %s", name, format, got)
				}
			}
		}
		wrapped := "open %w: %v" // a mistake that vet finds only in a constant
		if got := fmt.Sprint(v) + fmt.Sprintln(v) + fmt.Errorf(wrapped, v, v).Error(); tells(got) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestSecret_IsShownByNoEncoding(t *testing.T) {
	encodings := map[string]func(v any) (string, error){
		"JSON": func(v any) (string, error) { b, err := json.Marshal(v); return string(b), err },
		"YAML": func(v any) (string, error) { b, err := yaml.Marshal(v); return string(b), err },
		"XML":  func(v any) (string, error) { b, err := xml.Marshal(v); return string(b), err },
		"gob": func(v any) (string, error) {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return b.String(), err
		},
		"template": func(v any) (string, error) {
			var b strings.Builder
			err := template.Must(template.New("").Parse(`{{.}} {{printf "%v %s" . .}}`)).Execute(&b, v)
			return b.String(), err
		},
		"slog's text": func(v any) (string, error) {
			var b strings.Builder
			slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v, slog.Group("g", "v", v))
			return b.String(), nil
		},
		"slog's JSON": func(v any) (string, error) {
			var b strings.Builder
			slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v, slog.Group("g", "v", v))
			return b.String(), nil
		},
	}
	for name, v := range holders(t) {
		for encoding, encode := range encodings {
			got, err := encode(v) // some cannot encode some; then the error is what is seen
			if tells(got) || err != nil && tells(err.Error()) {
				t.Errorf("%s in %s: %s, %v", name, encoding, got, err)
			}
		}
	}
}

func TestSecret_IsToldByReveal(t *testing.T) {
	var none Secret
	s := NewSecret(marker)
	if s.Reveal() != marker || none.Reveal() != "" || !none.IsZero() || s.IsZero() || !NewSecret("").IsZero() {
		t.Errorf("%q, %q", s.Reveal(), none.Reveal())
	}
	for got, want := range map[string]string{
		s.String(): "***", none.String(): "", fmt.Sprintf("%v %s %d %x", s, s, s, s): "*** *** *** ***", fmt.Sprintf("%#v", s): `config.Secret("***")`,
		fmt.Errorf("connect to %s: %w", s, errors.New("refused")).Error(): "connect to ***: refused",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	data, err := json.Marshal(map[string]Secret{"a": s, "b": none})
	if string(data) != `{"a":"***","b":""}` || err != nil {
		t.Errorf("JSON %s, %v", data, err)
	}
}
