package pipeline

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// scalarText is how a value reads inside text: true and false, None, and
// numbers as Python prints them.
func scalarText(v any) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "true"
		}
		return "false"
	case string:
		return v
	case yaml12.Timestamp:
		return string(v)
	}
	return python.Str(v)
}

// unpacker turns a map into command-line arguments.
type unpacker struct {
	boolOptional, listAppend bool
	words                    []string
}

// arguments returns the map as --key value words, nested keys joined by dots.
func (u *unpacker) arguments(d *dict) (string, error) {
	u.words = u.words[:0]
	if err := u.add(d, ""); err != nil {
		return "", err
	}
	return strings.TrimRight(strings.Join(u.words, " "), " \t\n\r\v\f"), nil
}

func (u *unpacker) add(d *dict, prefix string) error {
	for _, k := range d.keys {
		v := d.m[k]
		name := prefix + k
		switch {
		case v.dict != nil:
			if err := u.add(v.dict, name+"."); err != nil {
				return err
			}
		case v.list != nil:
			if err := u.addList(v.list, name); err != nil {
				return err
			}
		default:
			u.addScalar(v.scalar, name)
		}
	}
	return nil
}

func (u *unpacker) addScalar(v any, name string) {
	switch v := v.(type) {
	case bool:
		if v {
			u.words = append(u.words, "--"+name)
		} else if u.boolOptional {
			u.words = append(u.words, "--no-"+name)
		}
	case string:
		u.words = append(u.words, "--"+name+" "+shellQuote(v))
	default:
		u.words = append(u.words, "--"+name+" "+python.Str(v))
	}
}

func (u *unpacker) addList(list []*value, name string) error {
	for i, e := range list {
		if !e.isScalar() {
			return fmt.Errorf("Cannot interpolate nested iterable in '%s'", name) //nolint:staticcheck // DVC's words
		}
		word := python.Str(e.scalar)
		if s, ok := e.scalar.(string); ok {
			word = shellQuote(s)
		}
		if i == 0 || u.listAppend {
			word = "--" + name + " " + word
		}
		u.words = append(u.words, word)
	}
	return nil
}

func shellQuote(s string) string {
	if runtime.GOOS == "windows" {
		return windowsQuote(s)
	}
	return python.ShellQuote(s)
}

// windowsQuote quotes one argument by the rules of the Microsoft C runtime.
func windowsQuote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\"") {
		return s
	}
	var b strings.Builder
	quoted := s == "" || strings.ContainsAny(s, " \t")
	if quoted {
		b.WriteByte('"')
	}
	slashes := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			slashes++
			continue
		case '"':
			b.WriteString(strings.Repeat(`\`, 2*slashes+1))
		default:
			b.WriteString(strings.Repeat(`\`, slashes))
		}
		slashes = 0
		b.WriteByte(s[i])
	}
	if quoted {
		slashes *= 2
	}
	b.WriteString(strings.Repeat(`\`, slashes))
	if quoted {
		b.WriteByte('"')
	}
	return b.String()
}
