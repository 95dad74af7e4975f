package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

func TestClassify(t *testing.T) {
	state := func(code string) error { return fmt.Errorf("insert: %w", &pgconn.PgError{Code: code}) }
	tests := []struct {
		name string
		err  error
		want error // nil: not the store's failure
	}{
		{"a taken key", state("23505"), dialect.ErrUnique},
		{"a row that is missing", state("23503"), dialect.ErrForeignKey},
		{"a rule of the schema", state("23514"), dialect.ErrCheck},
		{"no value where one must be", state("23502"), dialect.ErrCheck},
		{"a serialisation failure that stayed", state("40001"), dialect.ErrBusy},
		{"a lock that was not had in time", state("55P03"), dialect.ErrBusy},
		{"a full disk", state("53100"), dialect.ErrFull},
		{"too many connections", state("53300"), dialect.ErrUnavailable},
		{"a shutdown", state("57P01"), dialect.ErrUnavailable},
		{"a statement that took too long", state("57014"), dialect.ErrUnavailable},
		{"a broken connection", state("08006"), dialect.ErrUnavailable},
		{"a system error", state("58030"), dialect.ErrUnavailable},
		{"damaged pages", state("XX001"), dialect.ErrCorrupt},
		{"a standby", state("25006"), dialect.ErrUnavailable},
		{"a wrong password", state("28P01"), dialect.ErrUnavailable},
		{"no such database", state("3D000"), dialect.ErrUnavailable},
		{"an emptied database", state("42P01"), dialect.ErrUnavailable},
		{"a mistake in the query", state("42601"), nil},
		{"a value of the wrong form", state("22P02"), nil},
		{"a state that is none", state("4"), nil},
		{"no row", sql.ErrNoRows, nil},
		{"a caller that left", context.Canceled, nil},
		{"a deadline", context.DeadlineExceeded, dialect.ErrUnavailable},
		{"an end of the line", io.ErrUnexpectedEOF, dialect.ErrUnavailable},
		{"a network error", &net.OpError{Op: "read", Err: errors.New("reset")}, dialect.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := classify("test", tt.err)
			var fault *dialect.Fault
			switch is := errors.As(got, &fault); {
			case tt.want == nil && is:
				t.Errorf("it is %v, want it as it was", fault.Kind)
			case tt.want != nil && !errors.Is(got, tt.want):
				t.Errorf("it is %v, want %v", got, tt.want)
			case !errors.Is(got, tt.err):
				t.Errorf("the cause is lost in %v", got)
			}
		})
	}
}

func TestUndone_IsOnlyWhatTheServerSaysForSure(t *testing.T) {
	for code, want := range map[string]bool{"23505": true, "40001": true, "40003": false, "57P01": false, "08006": false} {
		if got := undone(&pgconn.PgError{Code: code}); got != want {
			t.Errorf("%s: %t, want %t", code, got, want)
		}
	}
	if undone(io.EOF) {
		t.Error("a broken line says that nothing was stored")
	}
}

func FuzzParse_NeverShowsThePassword(f *testing.F) {
	f.Add("postgres://u:", "@h/d?x=y")
	f.Add("postgres://", ":u@h:port/")
	f.Add("postgresql://u:%zz", "@[::1/d?sslmode=")
	f.Fuzz(func(t *testing.T, before, after string) {
		const password = "hunter2hunter2"
		config, err := Parse(before + password + after)
		if err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("the error is %v", err)
		}
		if err == nil && config.conn.Password == password && (strings.Contains(config.String(), password) || strings.Contains(config.DumpHint(), password)) {
			t.Errorf("it shows as %s and %s", config, config.DumpHint())
		}
	})
}
