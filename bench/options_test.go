package main

import (
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/bench/internal/load"
)

func TestReadOptions(t *testing.T) {
	tests := []struct {
		name string
		args []string
		env  map[string]string
		want string // part of the error; empty: none
		is   func(options) bool
	}{
		{"nothing given is everything", nil, nil, "", func(o options) bool {
			return o.rounds == 5 && o.duration == 3*time.Second && len(o.cases) == len(load.Cases) && len(o.peers) == 5 && o.whole
		}},
		{"the environment chooses", nil, map[string]string{"ROUNDS": "2", "CASES": "post-1k,get-1k", "PEERS": "caddy"}, "", func(o options) bool {
			return o.rounds == 2 && names(o.cases, caseName) == "get-1k,post-1k" && names(o.peers, peerName) == "caddy" && !o.whole
		}},
		{"a flag is stronger", []string{"-rounds", "1"}, map[string]string{"ROUNDS": "2"}, "", func(o options) bool { return o.rounds == 1 }},
		{"a profile is of Evergate only", []string{"-profile"}, nil, "", func(o options) bool { return names(o.peers, peerName) == "evergate" }},
		{"a case that does not exist", []string{"-cases", "get-2k"}, nil, `no "get-2k"`, nil},
		{"half a second", []string{"-duration", "500ms"}, nil, "whole seconds", nil},
		{"no rounds", nil, map[string]string{"ROUNDS": "0"}, "rounds is", nil},
		{"an argument", []string{"all"}, nil, "unknown argument", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := readOptions(tt.args, func(name string) string { return tt.env[name] })
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want one with %q", err, tt.want)
				}
				return
			}
			if err != nil || !tt.is(o) {
				t.Errorf("options %+v, %v", o, err)
			}
		})
	}
}
