package pipeline

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// overrideParser reads the value of an argument.
type overrideParser struct {
	s     string
	at    int
	depth int
}

func (p *overrideParser) all() (any, error) {
	p.space()
	if p.at == len(p.s) {
		return "", nil
	}
	switch p.s[p.at] {
	case '[', '{', '\'', '"':
		v, err := p.value("")
		if err != nil {
			return nil, err
		}
		if p.space(); p.at < len(p.s) {
			return nil, fmt.Errorf("unexpected '%s'", p.s[p.at:])
		}
		return v, nil
	}
	return p.value(",")
}

func (p *overrideParser) space() {
	for p.at < len(p.s) && (p.s[p.at] == ' ' || p.s[p.at] == '\t') {
		p.at++
	}
}

// value reads one value; stop are the characters that may not be in a bare one.
func (p *overrideParser) value(stop string) (any, error) {
	if p.depth++; p.depth > 100 {
		return nil, errors.New("nested too deeply")
	}
	defer func() { p.depth-- }()
	p.space()
	if p.at == len(p.s) {
		return nil, errors.New("a value is missing")
	}
	switch c := p.s[p.at]; c {
	case '\'', '"':
		return p.quoted(c)
	case '[':
		p.at++
		list := []any{}
		err := p.elements(']', func() error {
			v, err := p.value(",]}")
			list = append(list, v)
			return err
		})
		return list, err
	case '{':
		p.at++
		m := &yaml12.Map{}
		err := p.elements('}', func() error {
			key, err := p.value(":,]}")
			if err != nil {
				return err
			}
			if p.space(); p.at == len(p.s) || p.s[p.at] != ':' {
				return errors.New("expected ':' in a map")
			}
			p.at++
			v, err := p.value(",]}")
			if err == nil {
				m.Set(python.Str(key), v)
			}
			return err
		})
		return m, err
	}
	return p.bare(stop)
}

// elements calls read for each element up to the closing bracket.
func (p *overrideParser) elements(end byte, read func() error) error {
	for first := true; ; first = false {
		p.space()
		switch {
		case p.at == len(p.s):
			return fmt.Errorf("'%c' is missing", end)
		case p.s[p.at] == end && first:
			p.at++
			return nil
		}
		if err := read(); err != nil {
			return err
		}
		p.space()
		switch {
		case p.at == len(p.s):
			return fmt.Errorf("'%c' is missing", end)
		case p.s[p.at] == end:
			p.at++
			return nil
		case p.s[p.at] != ',':
			return fmt.Errorf("unexpected '%s'", p.s[p.at:])
		}
		p.at++
	}
}

func (p *overrideParser) quoted(q byte) (any, error) {
	var b strings.Builder
	for p.at++; p.at < len(p.s); p.at++ {
		c := p.s[p.at]
		if c == '\\' && p.at+1 < len(p.s) && (p.s[p.at+1] == q || p.s[p.at+1] == '\\') {
			p.at++
			c = p.s[p.at]
		} else if c == q {
			p.at++
			return b.String(), nil
		}
		b.WriteByte(c)
	}
	return nil, errors.New("a quote is not closed")
}

// bare reads text up to a stop character and types it. A backslash takes the
// meaning from the next special character.
func (p *overrideParser) bare(stop string) (any, error) {
	var b strings.Builder
	escaped := false
	for ; p.at < len(p.s); p.at++ {
		c := p.s[p.at]
		if c == '\\' && p.at+1 < len(p.s) && strings.IndexByte(`\()[]{}:=, `, p.s[p.at+1]) >= 0 {
			p.at++
			escaped = true
			b.WriteByte(p.s[p.at])
			continue
		}
		if strings.IndexByte(stop, c) >= 0 {
			if p.depth == 1 {
				return nil, errors.New("several values at once are not possible")
			}
			break
		}
		b.WriteByte(c)
	}
	text := strings.TrimRight(b.String(), " \t")
	switch {
	case escaped:
		return text, nil
	case text == "":
		return nil, errors.New("a value is missing")
	}
	return overrideScalar(text), nil
}

// overrideScalar types a bare word: null and booleans in any case, integers
// without leading zeros, floats.
func overrideScalar(s string) any {
	switch strings.ToLower(s) {
	case "null":
		return nil
	case "true":
		return true
	case "false":
		return false
	case "inf", "+inf":
		return math.Inf(1)
	case "-inf":
		return math.Inf(-1)
	case "nan", "+nan", "-nan":
		return math.NaN()
	}
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" || digits[0] != '.' && !isDigit(digits[0]) {
		return s
	}
	if len(digits) > 1 && digits[0] == '0' && isDigit(digits[1]) {
		return s
	}
	if strings.ContainsAny(digits, "xXoObB") {
		return s
	}
	v, ok := pyNumber(digits)
	v, ok = negate(v, s[0] == '-', ok)
	if !ok {
		return s
	}
	return v
}
