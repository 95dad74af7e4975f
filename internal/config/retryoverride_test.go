package config

import (
	"reflect"
	"testing"
	"time"
)

func TestApply_ReplacesEveryKeyThatARouteGives(t *testing.T) {
	override := reflect.TypeFor[RetryOverride]()
	for i := range override.NumField() {
		f := override.Field(i)
		t.Run(f.Name, func(t *testing.T) {
			want := nonZero(f.Type.Elem())
			var o RetryOverride
			pointer := reflect.New(f.Type.Elem())
			pointer.Elem().Set(want)
			reflect.ValueOf(&o).Elem().Field(i).Set(pointer)
			got := reflect.ValueOf(o.Apply(Retry{}))
			if !reflect.DeepEqual(got.FieldByName(f.Name).Interface(), want.Interface()) {
				t.Errorf("the key of the route is not applied: %+v", got)
			}
		})
	}
}

func TestRetryOverride_HasEveryKeyOfTheOriginButTheBudget(t *testing.T) {
	override, origin := reflect.TypeFor[RetryOverride](), reflect.TypeFor[Retry]()
	for i := range origin.NumField() {
		f := origin.Field(i)
		o, ok := override.FieldByName(f.Name)
		if ok == (f.Name == "Budget") {
			t.Errorf("%s: override %t", f.Name, ok)
		}
		if !ok {
			continue
		}
		for _, tag := range []string{"yaml", "min", "max", "enum"} {
			if o.Tag.Get(tag) != f.Tag.Get(tag) {
				t.Errorf("%s: tag %s is %q, the origin's %q", f.Name, tag, o.Tag.Get(tag), f.Tag.Get(tag))
			}
		}
	}
}

// nonZero is a value of t that differs from its zero value.
func nonZero(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("x")
	case reflect.Slice:
		v.Set(reflect.MakeSlice(t, 1, 1))
	case reflect.Struct:
		v.Field(0).Set(nonZero(t.Field(0).Type))
	default:
		v.SetInt(7)
	}
	return v
}

func TestRetryFor_IsTheOriginsWithTheRoutesOwn(t *testing.T) {
	c := parse(t, string(read(t, "testdata/route-retries.good.yaml")))
	upload, rest := c.Sites[0].Routes[0], c.Sites[0].Routes[1]
	if got := c.RetryFor(rest); !reflect.DeepEqual(got, c.Origins["shop"].Retry) {
		t.Errorf("a route without own settings: %+v", got)
	}
	want := c.Origins["shop"].Retry
	want.Attempts = 2
	want.TryTimeout = Duration(5 * time.Second)
	want.Backoff = Backoff{Duration(10 * time.Millisecond), Duration(500 * time.Millisecond)}
	want.Replay = RetryReplay{1 << 20, 64 << 20}
	want.NotProcessedHeader = "X-Nothing-Done"
	if got := c.RetryFor(upload); !reflect.DeepEqual(got, want) {
		t.Errorf("the route's own settings: %+v, want %+v", got, want)
	}
	if got := c.RetryFor(&Route{}); !reflect.DeepEqual(got, Retry{}) {
		t.Errorf("a route without origin: %+v", got)
	}
}
