package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/setting"
)

func newKeeper(settings Settings, now *time.Time) *Keeper {
	return NewKeeper(settings, clock.At(func() time.Time { return *now }), slog.New(slog.DiscardHandler))
}

func TestKeeper(t *testing.T) {
	settings, now := newMemory(), start
	k := newKeeper(settings, &now)
	made, secret, err := k.Create(t.Context(), "deploy", Operator, start.Add(time.Hour), "anna")
	if err != nil {
		t.Fatal(err)
	}
	want := Token{ID: made.ID, Name: "deploy", Role: Operator, Created: start, By: "anna", Expires: start.Add(time.Hour)}
	if made != want {
		t.Errorf("made %+v, want %+v", made, want)
	}
	if got, err := k.Verify(secret); err != nil || got != want || !k.Valid(made.ID) {
		t.Errorf("verified %+v, %v", got, err)
	}
	if got := k.List(); len(got) != 1 || got[0] != want {
		t.Errorf("listed %+v", got)
	}

	other, _, err := k.Create(t.Context(), "deploy", Viewer, time.Time{}, "anna")
	if err != nil {
		t.Fatal(err)
	}
	crossed := strings.Replace(secret, made.ID, other.ID, 1)
	if got, err := k.Verify(crossed); !errors.Is(err, ErrUnknown) || got != (Token{}) {
		t.Errorf("the secret of another id: %+v, %v", got, err)
	}

	now = start.Add(time.Hour)
	if got, err := k.Verify(secret); !errors.Is(err, ErrExpired) || got != want || k.Valid(made.ID) {
		t.Errorf("after its end: %+v, %v", got, err)
	}

	now = start
	if _, err := k.Revoke(t.Context(), made.ID, "anna", "lost"); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Verify(secret); !errors.Is(err, ErrUnknown) || got != (Token{}) || k.Valid(made.ID) {
		t.Errorf("after its revocation: %+v, %v", got, err)
	}
	if _, err := k.Revoke(t.Context(), made.ID, "anna", "lost"); !errors.Is(err, ErrUnknown) {
		t.Errorf("revoked twice: %v", err)
	}
	if got := k.List(); len(got) != 1 || got[0] != other {
		t.Errorf("listed %+v", got)
	}
}

func TestKeeper_KeepsNoSecret(t *testing.T) {
	settings, now := newMemory(), start
	k := newKeeper(settings, &now)
	_, secret, err := k.Create(t.Context(), "deploy", Operator, time.Time{}, "anna")
	if err != nil {
		t.Fatal(err)
	}
	secret = secret[strings.LastIndexByte(secret, '_')+1:]
	for _, v := range settings.All() {
		if text := fmt.Sprintf("%s %+v", v.Value, v); strings.Contains(text, secret) {
			t.Errorf("the secret is in %s", text)
		}
	}
}

func TestKeeper_CreateRefuses(t *testing.T) {
	tests := []struct {
		name, token string
		role        Role
		expires     time.Time
		field       string
	}{
		{"no name", "", Viewer, time.Time{}, "name"},
		{"a name that is too long", strings.Repeat("x", maxName+1), Viewer, time.Time{}, "name"},
		{"a name with space around it", " x", Viewer, time.Time{}, "name"},
		{"a name of two lines", "a\nb", Viewer, time.Time{}, "name"},
		{"a name with the brackets of an id", "root (token 0000)", Viewer, time.Time{}, "name"},
		{"a name with bytes that are no text", "a\xff", Viewer, time.Time{}, "name"},
		{"a name that is written backwards", "a\u202eb", Viewer, time.Time{}, "name"},
		{"a role that is none", "x", "root", time.Time{}, "role"},
		{"no role", "x", "", time.Time{}, "role"},
		{"an end in the past", "x", Viewer, start, "expires"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			settings, now := newMemory(), start
			_, secret, err := newKeeper(settings, &now).Create(t.Context(), tt.token, tt.role, tt.expires, "anna")
			var invalid *InvalidError
			if !errors.As(err, &invalid) || invalid.Field != tt.field || secret != "" || len(settings.all) != 0 {
				t.Errorf("got %q, %v", secret, err)
			}
		})
	}
}

func TestKeeper_KeepsABoundedNumber(t *testing.T) {
	settings, now := newMemory(), start
	k := newKeeper(settings, &now)
	for i := range most {
		d := document{Name: "x", Role: Viewer, Hash: strings.Repeat("0", 64)}
		value, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		key := Key(alphabet.EncodeToString([]byte{0, 0, 0, byte(i >> 8), byte(i)}))
		settings.all[key] = setting.Version{Key: key, Number: 1, Value: value}
	}
	if _, _, err := k.Create(t.Context(), "x", Viewer, time.Time{}, "anna"); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
}

func TestKeeper_PassesOnWhatTheSettingsSay(t *testing.T) {
	settings, now := newMemory(), start
	k := newKeeper(settings, &now)
	made, _, err := k.Create(t.Context(), "x", Viewer, time.Time{}, "anna")
	if err != nil {
		t.Fatal(err)
	}
	settings.fails = setting.ErrNotKept
	if _, secret, err := k.Create(t.Context(), "x", Viewer, time.Time{}, "anna"); !errors.Is(err, setting.ErrNotKept) || secret != "" {
		t.Errorf("created %q, %v", secret, err)
	}
	if _, err := k.Revoke(t.Context(), made.ID, "anna", "x"); !errors.Is(err, setting.ErrNotKept) {
		t.Errorf("revoked: %v", err)
	}
}

func TestKeeper_OfTwoWhoRevokeAtOnceOneLearnsIt(t *testing.T) {
	settings, now := newMemory(), start
	k := newKeeper(settings, &now)
	made, _, err := k.Create(t.Context(), "x", Viewer, time.Time{}, "anna")
	if err != nil {
		t.Fatal(err)
	}
	settings.before = func() {
		if _, err := k.Revoke(t.Context(), made.ID, "bert", "x"); err != nil {
			t.Error(err)
		}
	}
	if _, err := k.Revoke(t.Context(), made.ID, "anna", "x"); !errors.Is(err, ErrUnknown) {
		t.Errorf("the second one: %v", err)
	}
}

// elsewhere are settings that were changed on another node, which this one does not
// know yet: Current is late, and Put knows.
type elsewhere struct {
	*memory
	late map[string]setting.Version
}

func (e *elsewhere) Current(key string) (setting.Version, bool) {
	if v, ok := e.late[key]; ok {
		return v, true
	}
	return e.memory.Current(key)
}

func TestKeeper_RevokesWhatWasChangedOnAnotherNode(t *testing.T) {
	tests := []struct {
		name   string
		change func(v setting.Version) setting.Version
		want   error
	}{
		{"once more, though it has another version by now", func(v setting.Version) setting.Version { v.Number += 3; return v }, nil},
		{"and says so when it was revoked there", func(v setting.Version) setting.Version { v.Number++; v.Value = nil; return v }, ErrUnknown},
		{"and says so when it never reached the store", func(v setting.Version) setting.Version { return setting.Version{Key: v.Key} }, ErrUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			settings, now := &elsewhere{memory: newMemory(), late: map[string]setting.Version{}}, start
			k := newKeeper(settings, &now)
			made, _, err := k.Create(t.Context(), "x", Viewer, time.Time{}, "anna")
			if err != nil {
				t.Fatal(err)
			}
			key := Key(made.ID)
			settings.late[key] = settings.all[key]
			settings.all[key] = tt.change(settings.all[key])
			if _, err := k.Revoke(t.Context(), made.ID, "anna", "x"); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if v := settings.all[key]; v.Value != nil {
				t.Errorf("it is still there: %+v", v)
			}
		})
	}
}

func TestKeeper_TakesNoTokenThatItCannotRead(t *testing.T) {
	settings, now := newMemory(), start
	k := newKeeper(settings, &now)
	made, secret, err := k.Create(t.Context(), "x", Admin, time.Time{}, "anna")
	if err != nil {
		t.Fatal(err)
	}
	v := settings.all[Key(made.ID)]
	good := string(v.Value)
	for _, damage := range []string{
		`{}`, `null`, `[]`, `x`, good + `{}`, good + `x`, strings.Replace(good, `"name"`, `"role":"admin","name"`, 1),
		strings.Replace(good, `"role":"admin"`, `"role":"viewer","role":"admin"`, 1), strings.Replace(good, `"role"`, `"Role"`, 1),
		strings.Replace(good, `"role":"admin"`, `"role":"viewer","ROLE":"admin"`, 1), strings.Replace(good, `"by"`, `"more":1,"by"`, 1),
		strings.Replace(string(v.Value), `"hash":"`, `"hash":"0`, 1), strings.Replace(string(v.Value), `"admin"`, `"root"`, 1),
	} {
		v.Value = json.RawMessage(damage)
		settings.all[Key(made.ID)] = v
		if got, err := k.Verify(secret); !errors.Is(err, ErrUnknown) || k.Valid(made.ID) || len(k.List()) != 0 {
			t.Errorf("%s: %+v, %v", damage, got, err)
		}
	}
}
