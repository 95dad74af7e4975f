package server

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/evergate/evergate/internal/config"
)

func originMet(cfg *config.Config, name string, o *config.Origin) *OriginMet {
	met := &OriginMet{
		Name: name, Transport: o.Transport, DialTimeout: o.DialTimeout.String(), Paused: o.Paused,
		Balance: balanceMet(o.Balance), Health: healthMet(o.Health), Limit: limitMet(o.MaxInFlight.Origin),
		Queue: fmt.Sprintf("%s for a server or a free slot, %s of bodies, %s long", count(o.Queue.MaxRequests), o.Queue.MaxBytes, o.Queue.Timeout),
	}
	met.Line, _ = cfg.Place("origins." + name)
	if o.Sticky != nil {
		met.Sticky = "cookie " + o.Sticky.Cookie + ", until the browser closes"
		if o.Sticky.MaxAge > 0 {
			met.Sticky = "cookie " + o.Sticky.Cookie + ", for " + o.Sticky.MaxAge.String()
		}
	}
	for _, s := range o.Servers {
		limit := s.MaxInFlight
		if limit == 0 {
			limit = o.MaxInFlight.Server
		}
		met.Servers = append(met.Servers, ServerMet{URL: s.URL, Weight: s.Weight, Backup: s.Backup, State: s.State, Limit: limit})
	}
	return met
}

func balanceMet(b config.Balance) string {
	if b.Policy == "hash" {
		return "hash of " + b.Key
	}
	return b.Policy
}

func healthMet(h config.Health) []string {
	var lines []string
	if a := h.Active; a != nil {
		lines = append(lines, fmt.Sprintf("checked: GET %s every %s, within %s; %d passes bring a server back, %d failures take it out", a.Path, a.Interval, a.Timeout, a.Rise, a.Fall))
	} else {
		lines = append(lines, "not checked: only real requests tell")
	}
	return append(lines,
		fmt.Sprintf("%d failures in a row eject a server for %s, longer each time up to %s; the last one is never ejected", h.ConsecutiveFailures, h.Eject.Base, h.Eject.Max),
		fmt.Sprintf("statuses that count as failures: %s", numbers(h.FailStatuses)),
		fmt.Sprintf("a server that comes back reaches its full share after %s", h.SlowStart))
}

func limitMet(n int) string {
	if n == 0 {
		return "unlimited"
	}
	return strconv.Itoa(n)
}

func count(n int) string {
	if n == 1 {
		return "1 request"
	}
	return strconv.Itoa(n) + " requests"
}

func numbers(list []int) string {
	if len(list) == 0 {
		return "none"
	}
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ", ")
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
