package config_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/keyring"
)

func TestKeys_AreThePurposesOfTheKeyring(t *testing.T) {
	var names []string
	var all config.Keys
	v := reflect.ValueOf(&all).Elem()
	for i := range v.NumField() {
		names = append(names, v.Type().Field(i).Tag.Get("yaml"))
		v.Field(i).Set(reflect.ValueOf(&config.KeySource{File: "/key"}))
	}
	if slices.Sort(names); !slices.Equal(names, keyring.Purposes()) {
		t.Errorf("keys has %v, the keyring %v", names, keyring.Purposes())
	}
	for _, name := range names {
		if all.Sources()[name].File != "/key" {
			t.Errorf("Sources lacks %s", name)
		}
	}
}
