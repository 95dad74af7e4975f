package route

import "strings"

const errDots = pathError("dot segment after a rewrite")

// Rewritten brings a path that was put together from a normal one to normal form
// again. What Path would resolve, "." and "..", is refused here: the access rules
// have seen another path, and nobody may leave it by way of a rewrite.
func Rewritten(path string) (string, error) {
	normal, err := Path(path)
	if err != nil || normal == path {
		return normal, err
	}
	encoded, err := encodePath(make([]byte, 0, len(path)), path)
	if err != nil {
		return "", err
	}
	for segment := range strings.SplitSeq(string(encoded), "/") {
		if segment == "." || segment == ".." {
			return "", errDots
		}
	}
	return normal, nil
}

// CutPrefix takes prefix off a normal path, segment by segment. prefix is decoded
// once, as in Subject, and ends without "/"; parameters (";") in the segments that
// are cut do not count. What is left begins with "/". ok is false, and the path is
// returned as it was, where prefix is not the beginning.
func CutPrefix(normal, prefix string) (rest string, ok bool) {
	i, j := 0, 0
	for j < len(prefix) {
		if i >= len(normal) {
			return normal, false
		}
		c, size := normal[i], 1
		switch {
		case c == ';' && prefix[j] == '/':
			i = endOfSegment(normal, i)
			continue
		case c == '%' && i+2 < len(normal):
			if d := unhex(normal[i+1])<<4 | unhex(normal[i+2]); d != '/' {
				c, size = d, 3
			}
		}
		if c != prefix[j] {
			return normal, false
		}
		i, j = i+size, j+1
	}
	if i < len(normal) && normal[i] == ';' {
		i = endOfSegment(normal, i)
	}
	switch {
	case i == len(normal):
		return "/", true
	case normal[i] == '/':
		return normal[i:], true
	}
	return normal, false
}

func endOfSegment(path string, i int) int {
	for i < len(path) && path[i] != '/' {
		i++
	}
	return i
}
