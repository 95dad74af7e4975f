package demo

// kind is a way in which a request fails, in the demo's plain words.
type kind int

const (
	fine kind = iota
	refused
	reset
	slow
	status500
	status503
	cut
	other // the door found no server for it, or something nobody expected
	kinds
)

func (k kind) String() string {
	return [...]string{"fine", "refused", "reset", "too slow", "answered 500", "answered 503", "cut in the middle", "something else"}[k]
}

// kindOf is the kind of an attempt as the access log tells it.
func kindOf(a attempt) kind {
	switch a.Outcome {
	case "success":
		return fine
	case "connect":
		return refused
	case "reset":
		return reset
	case "timeout":
		return slow
	case "bad_response":
		return cut
	case "status":
		switch a.Status {
		case 500:
			return status500
		case 503:
			return status503
		}
	}
	return other
}
