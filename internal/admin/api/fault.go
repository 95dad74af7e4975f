package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/evergate/evergate/internal/admin/token"
)

// problem says what to answer when a handler ends in err. What nobody foresaw is
// logged, and not told: it may name files and addresses.
func (a *api) problem(ctx context.Context, op string, err error) huma.StatusError {
	var (
		ready    huma.StatusError
		unknown  *UnknownError
		conflict *ConflictError
		invalid  *InvalidError
		noToken  *token.InvalidError
		busy     *BusyError
	)
	err = SettingError(err, "", nil)
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.As(err, &unknown):
		return &Problem{Status: http.StatusNotFound, Kind: kindUnknown, Detail: a.meant(unknown), Nearest: a.nearest(unknown)}
	case errors.As(err, &conflict):
		return &Problem{Status: http.StatusConflict, Kind: kindConflict, Detail: conflict.Error(), Current: conflict.Current}
	case errors.As(err, &invalid):
		p := wrong(invalid.Field, invalid.Message)
		p.Min, p.Max, p.Words = invalid.Min, invalid.Max, invalid.Words
		return p
	case errors.As(err, &noToken):
		return wrong(noToken.Field, noToken.Message)
	case errors.Is(err, token.ErrUnknown):
		return &Problem{Status: http.StatusNotFound, Kind: kindUnknown, Detail: "there is no such token; it may have been revoked already"}
	case errors.Is(err, token.ErrTooMany):
		return &Problem{Status: http.StatusConflict, Kind: kindConflict, Detail: token.ErrTooMany.Error()}
	case errors.As(err, &busy):
		a.log.Warn("an operator's change was not made", "operation", op, "error", busy, "cause", busy.Err)
		return &Problem{Status: http.StatusServiceUnavailable, Kind: kindBusy, Detail: busy.Message, retryAfter: 5 * time.Second}
	case ctx.Err() != nil:
		return &Problem{Status: http.StatusServiceUnavailable, Kind: kindBusy, Detail: "the request was given up before it was done", retryAfter: time.Second}
	}
	a.log.Error("the admin API could not answer", "operation", op, "error", err)
	return &Problem{Status: http.StatusInternalServerError, Kind: kindInternal, Detail: "Evergate could not do this; its log says why (operation " + op + ")"}
}

// wrong is a problem with one member of the body.
func wrong(field, message string) *Problem {
	p := &Problem{Status: http.StatusUnprocessableEntity, Kind: kindInvalid, Detail: message}
	if field != "" {
		p.Detail = field + ": " + message
		p.Errors = []FieldError{{Location: "body." + field, Message: message}}
	}
	return p
}

// meant is the detail for an unknown name.
func (a *api) meant(e *UnknownError) string {
	text := e.Error()
	if near := a.nearest(e); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, ", or ") + "?"
	}
	return text
}

// nearest are the names that may have been meant.
func (a *api) nearest(e *UnknownError) []string {
	var names []string
	switch e.What {
	case whatLever:
		for _, l := range a.Levers.Levers() {
			names = append(names, l.Name)
		}
	case whatOrigin:
		for _, o := range a.Door.Origins() {
			names = append(names, o.Name)
		}
	case whatServer:
		names = e.among
	}
	return Nearest(e.Name, names)
}

// asProblem turns what huma says about a request that does not fit the document
// into our form. It is one of its transformers.
func asProblem(_ huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		if p, ok := v.(*Problem); ok {
			return p.whole(), nil
		}
		return v, nil
	}
	p := &Problem{Status: model.Status, Kind: kindOf(model.Status)}
	var all []string
	for _, e := range model.Errors {
		f := fieldError(e)
		p.Errors = append(p.Errors, f)
		_, name, inside := strings.Cut(f.Location, ".")
		if !inside {
			name = f.Location
		}
		all = append(all, name+": "+f.Message)
	}
	switch model.Status {
	case http.StatusRequestEntityTooLarge:
		p.Detail, p.Errors = tooLarge().Detail, nil
	case http.StatusBadRequest:
		p.Detail = "want a body of JSON"
		if len(all) > 0 {
			p.Detail = "the body is no JSON: " + p.Errors[0].Message
		}
	case http.StatusInternalServerError:
		p.Detail, p.Errors = "the body could not be read", nil
	default:
		p.Detail = strings.Join(all, "; ")
		if p.Detail == "" {
			p.Detail = model.Detail
		}
	}
	return p.whole(), nil
}

// fieldError puts the name of a missing member where those of others are, and
// leaves out the value: it may be a secret.
func fieldError(e *huma.ErrorDetail) FieldError {
	f := FieldError{Location: e.Location, Message: e.Message}
	if name, ok := between(e.Message, "expected required property ", " to be present"); ok {
		f.Location, f.Message = e.Location+"."+name, "it is missing"
		if name == "reason" {
			f.Message = "it is missing: say why, for those who read the history"
		}
	}
	if e.Message == "unexpected property" {
		f.Message = "there is no such member"
	}
	return f
}

func between(text, before, after string) (string, bool) {
	rest, ok := strings.CutPrefix(text, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, after)
}

func tooLarge() *Problem {
	return &Problem{
		Status: http.StatusRequestEntityTooLarge, Kind: kindTooLarge,
		Detail: fmt.Sprintf("the body has more than %d KiB", maxBody>>10),
	}
}
