package levers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/config"
)

// Differences are sentences about levers that do not stand where the file says, and
// about initial values that the file has changed since before (nil: there was no
// configuration before), each with both values and who set the lever. They are in
// order of the levers' names; those of levers that have no place in file come last.
func Differences(file, before *config.Config, current []setting.Version) []string {
	was := make(map[string]json.RawMessage)
	if before != nil {
		for _, i := range Instances(before) {
			was[i.Name] = i.File
		}
	}
	return DifferencesTo(file, was, current)
}

// DifferencesTo is Differences for somebody who does not have the configuration
// before, but knows its initial values by the levers' names.
func DifferencesTo(file *config.Config, before map[string]json.RawMessage, current []setting.Version) []string {
	stands := make(map[string]stand)
	for _, s := range standing(file, current) {
		stands[s.Name] = s
	}
	var said []string
	for _, i := range Instances(file) {
		now, was := shown(i.File), ""
		if old, known := before[i.Name]; known && !bytes.Equal(old, i.File) {
			was = shown(old)
		}
		s, set := stands[i.Name]
		switch {
		case set && s.version.Value != nil && !s.turned():
			said = append(said, fmt.Sprintf("%s: %s will not do any more (%s); the file's %s is in use. Set it anew or reset it.",
				i.Name, shown(s.version.Value), who(s.version), now))
		case set && s.turned():
			said = append(said, overridden(s, now, was)...)
		case was != "":
			said = append(said, fmt.Sprintf("%s is %s now: the file said %s before.", i.Name, now, was))
		}
	}
	return append(said, dormant(file, current)...)
}

// overridden says how the file and a lever that was turned differ; was is "" if the
// file says what it said before.
func overridden(s stand, file, was string) []string {
	lever := shown(s.version.Value)
	switch {
	case lever == file && was == "":
		return nil
	case lever == file:
		return []string{fmt.Sprintf("%s stays %s (%s): the file says %s now too, and said %s before.", s.Name, lever, who(s.version), file, was)}
	case was != "":
		return []string{fmt.Sprintf("%s stays %s (%s): the file says %s now, and said %s before. Reset it to follow the file.",
			s.Name, lever, who(s.version), file, was)}
	}
	return []string{fmt.Sprintf("%s is %s (%s): the file says %s.", s.Name, lever, who(s.version), file)}
}

// dormant are sentences about values of levers that have no place in file.
func dormant(file *config.Config, current []setting.Version) (said []string) {
	for _, v := range current {
		l, args := find(v.Key)
		if l == nil || v.Value == nil {
			continue
		}
		if _, ok := l.place.find(file, args); ok {
			continue
		}
		said = append(said, fmt.Sprintf("%s is %s (%s), but the file has no such %s: it does nothing until one comes back. Reset it if none will.",
			v.Key, shown(v.Value), who(v), l.place.what))
	}
	slices.Sort(said)
	return said
}

// who is who set a lever, when and why.
func who(v setting.Version) string {
	return fmt.Sprintf("by %s, %s: %s", v.Actor, v.At.UTC().Format(time.DateTime+" UTC"), strings.TrimRight(v.Reason, ". "))
}

// shown is a value as people write it.
func shown(value json.RawMessage) string {
	var word string
	if json.Unmarshal(value, &word) == nil {
		return word
	}
	return string(bytes.TrimSpace(value))
}
