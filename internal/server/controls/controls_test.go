package controls

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/config"
)

const shop = `
listen: {http: "127.0.0.1:0"}
origins:
  booking: {servers: ["http://10.0.0.11:8080"], max_in_flight: 200}
sites:
  - hosts: [book.test]
    routes: [{path: /*, origin: booking}]
`

// begin returns controls over real settings on a real SQLite store, and tokens on
// the same settings.
func begin(t *testing.T) (*Controls, *token.Keeper) {
	t.Helper()
	c := node(t, newStore(t))
	return c, token.NewKeeper(c.Settings, clock.Clock{}, quiet)
}

var quiet = slog.New(slog.DiscardHandler)

func newStore(t *testing.T) *store.Store {
	t.Helper()
	kept, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	return kept
}

// node returns the controls of one of those that share a store.
func node(t *testing.T, kept setting.Store) *Controls {
	t.Helper()
	file, _, err := config.Parse("evergate.yaml", t.TempDir(), []byte(shop), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	c := &Controls{File: func() *config.Config { return file }}
	c.Settings, err = setting.New(setting.Options{Store: kept, Dir: t.TempDir(), Node: "door-1", Log: quiet, Check: c.Check, Final: token.IsKey})
	if err != nil {
		t.Fatal(err)
	}
	c.Settings.Start(t.Context())
	t.Cleanup(c.Settings.Stop)
	return c
}

// deaf is a store that tells nobody of changes: they learn when they ask next.
type deaf struct{ *store.Store }

func (deaf) Listen(string) (wake <-chan struct{}, stop func()) { return nil, func() {} }

func TestWhoLosesAgainstAnotherNodeLearnsWhatItDid(t *testing.T) {
	kept := newStore(t)
	here, there := node(t, kept), node(t, deaf{kept})
	change := api.Change{Lever: "origins.booking.max_in_flight", Value: json.RawMessage("100"), Actor: "anna", Reason: "slow"}
	if _, err := here.Change(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	change.Value, change.Actor = json.RawMessage("50"), "bert"
	_, err := there.Change(t.Context(), change)
	var conflict *api.ConflictError
	if !errors.As(err, &conflict) || conflict.Current == nil {
		t.Fatalf("a change of an old version: %v", err)
	}
	if now := conflict.Current; now.Version != 1 || string(now.Value) != "100" || string(now.File) != "200" || now.Actor != "anna" || now.Reason != "slow" {
		t.Errorf("bert was told that the lever is %+v", now)
	}
}

func TestTokensAreNoLevers(t *testing.T) {
	c, keeper := begin(t)
	made, secret, err := keeper.Create(t.Context(), "deploy", token.Admin, time.Time{}, "root")
	if err != nil {
		t.Fatal(err)
	}
	key := token.Key(made.ID)
	kept, _ := c.Settings.Current(key)
	other := strings.Replace(string(kept.Value), `"admin"`, `"viewer"`, 1)

	var unknown *api.UnknownError
	refused := func(what string, err error) {
		t.Helper()
		if !errors.As(err, &unknown) {
			t.Errorf("%s: %v, want that there is no such lever", what, err)
		}
	}
	// Names that are the token's, and some that are nearly a lever's.
	for _, name := range []string{
		key, strings.ToUpper(key), key + ".state", "origins." + key + ".paused", "sites[" + key, " " + key, key + "\n",
		"origins.booking.servers[" + key + "].state", "store.confirmed", "",
	} {
		_, err := c.Lever(name)
		refused("look at "+name, err)
		_, err = c.Parse(name, "x")
		refused("parse for "+name, err)
		_, _, err = c.History(t.Context(), name, 0, 10)
		refused("history of "+name, err)
		for what, value := range map[string]json.RawMessage{"set": json.RawMessage(other), "reset": nil} {
			for _, at := range []time.Time{{}, time.Now().Add(time.Hour)} {
				_, err = c.Change(t.Context(), api.Change{Lever: name, Value: value, Based: kept.Number, Actor: "eve (token 00000000)", Reason: "x", At: at})
				refused(what+" "+name, err)
			}
		}
	}
	if _, err := At(c.File(), c.Settings, kept); !errors.As(err, &unknown) {
		t.Errorf("an event about it: %v", err)
	}
	for _, l := range append(c.Levers(), c.Overrides()...) {
		if strings.Contains(l.Name, "token") || strings.Contains(string(l.Value), "hash") {
			t.Errorf("it is listed: %+v", l)
		}
	}
	if got, err := keeper.Verify(secret); err != nil || got.Role != token.Admin {
		t.Errorf("after all that it is %+v, %v", got, err)
	}
}

func TestADueChangeThatIsNoLeversIsNobodysToSee(t *testing.T) {
	c, keeper := begin(t)
	made, _, err := keeper.Create(t.Context(), "deploy", token.Viewer, time.Time{}, "root")
	if err != nil {
		t.Fatal(err)
	}
	// No way leads here but the settings themselves.
	planted, err := c.Settings.Put(t.Context(), setting.Change{Key: token.Key(made.ID), Based: 1, Actor: "eve", Reason: "x", At: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if list := c.Dues(); len(list) != 0 {
		t.Errorf("listed %+v", list)
	}
	var unknown *api.UnknownError
	if err := c.Cancel(t.Context(), planted.Due.ID, "eve", "x"); !errors.As(err, &unknown) {
		t.Errorf("cancelled: %v", err)
	}
	if c.Settings.State().Due != 1 {
		t.Error("it is gone")
	}
}

func TestTokensCanBeRevokedThroughTheControls(t *testing.T) {
	c, keeper := begin(t)
	made, secret, err := keeper.Create(t.Context(), "deploy", token.Viewer, time.Time{}, "root")
	if err != nil {
		t.Fatal(err)
	}
	if stored, err := keeper.Revoke(t.Context(), made.ID, "root", "lost"); err != nil || stored != setting.InStore {
		t.Fatalf("%s, %v", stored, err)
	}
	if _, err := keeper.Verify(secret); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("it still works: %v", err)
	}
	if err := c.Check(token.Key(made.ID), json.RawMessage(`{"role":"admin"}`)); err == nil {
		t.Error("half a token is taken")
	}
}

func TestLeversTurnAndRevert(t *testing.T) {
	c, _ := begin(t)
	const lever = "origins.booking.max_in_flight"
	out, err := c.Change(t.Context(), api.Change{Lever: lever, Value: json.RawMessage("100"), Actor: "anna", Reason: "x", RevertAfter: time.Hour})
	if err != nil || out.Due == nil || !out.Lever.Reverts.Equal(out.Due.At) || fmt.Sprint(string(out.Lever.Value), string(out.Lever.File)) != "100200" {
		t.Fatalf("%+v, %v", out, err)
	}
	var conflict *api.ConflictError
	if _, err := c.Change(t.Context(), api.Change{Lever: lever, Actor: "bert", Reason: "x"}); !errors.As(err, &conflict) || conflict.Current == nil || conflict.Current.Actor != "anna" {
		t.Errorf("a change of an old version: %v", err)
	}
	if list := c.Dues(); len(list) != 1 || list[0].Lever != lever || list[0].Kind != "revert" {
		t.Errorf("due: %+v", list)
	}
	for _, text := range []string{"\u202e100", "1\x1b[31m00", "100\n", "1e2"} {
		if value, err := c.Parse(lever, text); err == nil && string(value) != "100" {
			t.Errorf("%q was read as %s", text, value)
		}
	}
}
