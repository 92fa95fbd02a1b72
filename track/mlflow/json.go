package mlflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// number is a float as the API sends it: a JSON number, or a string for NaN and
// the infinities. It is written so too: a bare NaN would be stored as 0.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	switch v := float64(n); {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(v)
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(data []byte) error {
	text := string(bytes.Trim(data, `"`))
	if text == "null" {
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(v, 0) {
		return fmt.Errorf("'%s' is not a number", oneLine(text))
	}
	*n = number(v)
	return nil
}

// integer is an int64 sent as a number or as a string.
type integer int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *integer) UnmarshalJSON(data []byte) error {
	text := string(bytes.Trim(data, `"`))
	if text == "null" || text == "" {
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(text, 64)
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 1<<62 {
			return fmt.Errorf("'%s' is not an integer", oneLine(text))
		}
		v = int64(f)
	}
	*n = integer(v)
	return nil
}

// time is a column of milliseconds, in which 0 stands for none.
func (n integer) time() time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(n)).UTC()
}

// decode reads an answer. Bare NaN and Infinity, which are not JSON but which
// Python writes, are read as well.
func decode(data []byte, out any) error {
	err := json.Unmarshal(data, out)
	if err == nil {
		return nil
	}
	if quoted, changed := quoteSpecials(data); changed {
		return json.Unmarshal(quoted, out)
	}
	return err
}

// quoteSpecials puts NaN, Infinity and -Infinity outside strings in quotes.
func quoteSpecials(data []byte) (out []byte, changed bool) {
	inString := false
	for i := 0; i < len(data); {
		c := data[i]
		switch {
		case inString && c == '\\' && i+1 < len(data):
			out = append(out, c, data[i+1])
			i += 2
			continue
		case c == '"':
			inString = !inString
		case !inString:
			if word := special(data[i:]); word != "" {
				out = append(append(append(out, '"'), word...), '"')
				i += len(word)
				changed = true
				continue
			}
		}
		out = append(out, c)
		i++
	}
	return out, changed
}

func special(data []byte) string {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(data, []byte(word)) {
			return word
		}
	}
	return ""
}
