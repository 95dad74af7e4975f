package extended

import (
	"os"
	"strings"
	"testing"
)

func TestTheSettingStandsBesideThoseThatWereThere(t *testing.T) {
	if got := os.Getenv("GODEBUG"); got != setting && !strings.HasSuffix(got, ","+setting) {
		t.Errorf("GODEBUG is %q", got)
	}
}
