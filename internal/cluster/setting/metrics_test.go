package setting

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetrics_TellHowTheSettingsAreKept(t *testing.T) {
	dir := t.TempDir()
	reg := prometheus.NewRegistry()
	st := newWire(openStore(t, dir))
	s := open(t, Options{Store: st, Dir: dir, Registerer: reg})
	s.round(t.Context())
	put(t, s, "a", "1")
	st.set(refuses)
	put(t, s, "a", "2")
	put(t, s, "b", "2")
	want := `# HELP evergate_settings_changes_total Changes of settings made on this node, by where they were kept: store, or journal while the store was lost.
# TYPE evergate_settings_changes_total counter
evergate_settings_changes_total{stored="journal"} 2
evergate_settings_changes_total{stored="store"} 1
# HELP evergate_settings_journal_entries Changes that wait in this node's journal for the store.
# TYPE evergate_settings_journal_entries gauge
evergate_settings_journal_entries 2
# HELP evergate_settings_rev Number of the last change that this node has seen in the store.
# TYPE evergate_settings_rev gauge
evergate_settings_rev 1
# HELP evergate_settings_store_lost 1 while the store takes no changes, or waits for an operator's confirmation.
# TYPE evergate_settings_store_lost gauge
evergate_settings_store_lost 1
`
	names := []string{"evergate_settings_changes_total", "evergate_settings_journal_entries", "evergate_settings_rev", "evergate_settings_store_lost"}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
