package server

import (
	"fmt"
	"strings"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/server/health"
	"github.com/evergate/evergate/internal/server/levers"
)

// findings looks at everything that has a condition. Each name stays the same for
// ever: alarms are set on it.
func (s *Server) findings(g *generation, snapshots []origin.Snapshot) []health.Finding {
	found := []health.Finding{s.storeFinding(), s.journalFinding(), s.lastGoodFinding(), dueFinding(s.settings.State(), time.Now()), s.reloadFinding(), s.jobsFinding(), s.certStoreFinding()}
	found = append(found, s.leverFinding(g))
	for _, o := range snapshots {
		found = append(found, originFinding(o))
	}
	return found
}

func (s *Server) storeFinding() health.Finding {
	state, kept := s.store.State(), s.settings.State()
	f := health.Finding{Name: "store", Severity: api.OK, Summary: "answers"}
	switch {
	case kept.Doubt != "":
		f.Severity, f.Summary = api.Failing, "is another one than it was, or lost changes, and waits for an operator's word"
		f.Detail = kept.Doubt + ". Look which it is (GET store, evergate store status); then evergate store confirm --refill writes this node's settings into it, and --accept takes it as it is."
	case state.Lost:
		f.Severity, f.Summary = api.Failing, fmt.Sprintf("%s is lost: %v", state.Kind, state.Err)
		f.Detail = "Requests go on and levers turn; changes wait in this node's journal. " + state.Advice
	case kept.Lost:
		f.Severity, f.Summary = api.Failing, fmt.Sprintf("%s did not take a change: %v", state.Kind, kept.LostError)
		f.Detail = "Requests go on and levers turn; changes wait in this node's journal until it answers."
	}
	if f.Severity == api.Failing && kept.JournalError != nil {
		f.Detail = "Requests go on. No lever turns, because this node's journal cannot be written either (condition settings-journal). " + state.Advice
	}
	return f
}

func (s *Server) journalFinding() health.Finding {
	f := health.Finding{Name: "settings-journal", Severity: api.OK, Summary: "is empty"}
	kept := s.settings.State()
	switch {
	case kept.JournalError != nil:
		f.Severity, f.Summary = api.Failing, "cannot be written; while the store is lost, no lever can be turned"
		f.Detail = kept.JournalError.Error() + ". Make room on the disk of data_dir."
	case kept.Damaged > 0:
		f.Severity, f.Summary = api.Warning, "had "+plural(kept.Damaged, "line", "lines")+" at the start that could not be read"
		f.Detail = "Changes that were kept there while the store was lost may be missing: compare evergate levers with what you expect."
	case kept.Journal > 0:
		f.Severity, f.Summary = api.Warning, "holds "+plural(kept.Journal, "change", "changes")+" that the store has not taken yet"
		f.Detail = "They are in force on this node only and are on its disk. They reach the store by themselves when it is back."
	}
	return f
}

func (s *Server) lastGoodFinding() health.Finding {
	f := health.Finding{Name: "settings-last-good", Severity: api.OK, Summary: "is up to date"}
	if err := s.settings.State().LastGoodError; err != nil {
		f.Severity, f.Summary = api.Warning, "the copy of the settings on this node's disk cannot be written"
		f.Detail = err.Error() + ". Without the store, a restart would begin with older settings. Make room on the disk of data_dir."
	}
	return f
}

// skippedFor is how long a change that was asked for a certain time, and not made
// then, is worth a warning.
const skippedFor = 24 * time.Hour

// dueFinding is about changes that wait for their time. A revert that was skipped is
// no reason for a warning: somebody has turned the lever since, on purpose.
func dueFinding(kept setting.State, now time.Time) health.Finding {
	f := health.Finding{Name: "settings-due", Severity: api.OK, Summary: "nothing is late"}
	var missed []setting.Due
	for _, d := range kept.Skipped {
		if d.Kind == setting.Later && now.Sub(d.Settled) < skippedFor {
			missed = append(missed, d)
		}
	}
	switch {
	case kept.Overdue > 0:
		f.Severity, f.Summary = api.Warning, plural(kept.Overdue, "change is late", "changes are late")
		f.Detail = "Their time has come and they were not made yet. The conditions store and jobs may say why; evergate due list shows them."
	case len(missed) > 0:
		f.Severity, f.Summary = api.Warning, plural(len(missed), "change was", "changes were")+" not made, because the lever had been turned since"
		f.Detail = fmt.Sprintf("The last one: %s, %s. Turn it by hand if it should be so. evergate due list shows all of them.", missed[0].Key, missed[0].Note)
	}
	return f
}

// plural is a number with what there are so many of.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (s *Server) reloadFinding() health.Finding {
	f := health.Finding{Name: "config", Severity: api.OK, Summary: "the file's configuration is in use"}
	if last := s.lastReload.Load(); last != nil && !last.OK {
		f.Severity, f.Summary = api.Warning, "the last reload was refused, and the configuration from before is in use"
		f.Detail = strings.Join(last.Problems, "; ")
	}
	return f
}

func (s *Server) jobsFinding() health.Finding {
	f := health.Finding{Name: "jobs", Severity: api.OK, Summary: "run"}
	for _, j := range s.jobs.State() {
		if j.Held && j.Last != nil {
			f.Severity, f.Summary = api.Warning, fmt.Sprintf("%s did not succeed the last time", j.Name)
			f.Detail = j.Last.Error()
		}
		if j.Newer {
			f.Severity, f.Summary = api.Warning, fmt.Sprintf("%s is not run here, because a newer Evergate runs it", j.Name)
			f.Detail = "Update this node."
		}
	}
	return f
}

func (s *Server) certStoreFinding() health.Finding {
	f := health.Finding{Name: "certificate-store", Severity: api.OK, Summary: "is up to date"}
	state := s.certStore.State()
	switch {
	case state.Disk != nil:
		f.Severity, f.Summary = api.Warning, "certificates cannot be written to this node's disk"
		f.Detail = state.Disk.Error()
	case state.Waiting > 0:
		f.Severity, f.Summary = api.Warning, plural(state.Waiting, "certificate file waits", "certificate files wait")+" for the store"
		f.Detail = "They are on this node's disk and in use; they reach the store by themselves when it is back."
	}
	return f
}

func (s *Server) leverFinding(g *generation) health.Finding {
	f := health.Finding{Name: "levers", Severity: api.OK, Summary: "stand where the file says"}
	if different := levers.Differences(g.cfg, nil, s.settings.All()); len(different) > 0 {
		f.Summary = plural(len(different), "stands", "stand") + " elsewhere than the file says"
		f.Detail = strings.Join(different, "; ")
	}
	return f
}

func originFinding(o origin.Snapshot) health.Finding {
	f := health.Finding{Name: "origin " + o.Name, Severity: api.OK}
	servers, usable, unchecked := 0, 0, 0
	var out []string
	for _, s := range o.Servers {
		if s.Leaving {
			continue
		}
		servers++
		if s.State.Eligible() {
			usable++
			continue
		}
		if s.State == origin.Unknown {
			unchecked++
		}
		out = append(out, fmt.Sprintf("%s is %s (%s)", s.Name, s.State, s.Reason))
	}
	f.Summary = fmt.Sprintf("%d of %d servers take requests", usable, servers)
	f.Detail = strings.Join(out, "; ")
	switch {
	case o.Paused:
		f.Severity, f.Summary = api.Warning, "is paused: its requests wait"
		f.Detail = fmt.Sprintf("%d wait. evergate lever reset origins.%s.paused, or set it to false, lets them go on.", o.Queue.Depth, o.Name)
	case servers > 0 && unchecked == servers:
		f.Summary = "waits for its first checks" // after a start, for a moment
	case usable == 0:
		f.Severity, f.Summary = api.Failing, "has no server that takes requests"
		if o.Queue.Depth > 0 {
			f.Summary += fmt.Sprintf("; %d wait", o.Queue.Depth)
		}
	case usable < servers:
		f.Severity = api.Warning
	}
	if len(o.Unresolved) > 0 && f.Severity == api.OK {
		f.Severity = api.Warning
		f.Detail = strings.TrimPrefix(f.Detail+"; "+fmt.Sprintf("the name %s cannot be looked up (%s); %d addresses from before are used", o.Unresolved[0].Host, o.Unresolved[0].Error, o.Unresolved[0].Kept), "; ")
	}
	return f
}
