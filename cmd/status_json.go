package cmd

import (
	"encoding/json"
	"strings"

	"github.com/flowrepro/flow/internal/python"
)

// statusJSON writes the status as DVC prints it: one line, maps in the order of
// the text, ASCII only. What DVC does not know is left out unless explain is
// set; a stage that is stale only for such reasons is left out with it.
func statusJSON(list []stageChanges, explain bool) string {
	w := &jsonText{}
	w.open('{')
	for _, c := range list {
		var shown []section
		for _, sec := range c.sections {
			if explain || !sec.own {
				shown = append(shown, sec)
			}
		}
		if len(shown) == 0 {
			continue
		}
		w.key(c.stage)
		w.open('[')
		for _, sec := range shown {
			w.item()
			w.section(sec)
		}
		if explain && len(c.reasons) > 0 {
			w.item()
			w.open('{')
			w.key("reasons")
			if data, err := json.Marshal(c.reasons); err == nil { // strings only: cannot fail
				w.b.Write(data)
			}
			w.close('}')
		}
		w.close(']')
	}
	w.close('}')
	return w.b.String()
}

func (w *jsonText) section(sec section) {
	if len(sec.items) == 0 {
		w.text(sec.title)
		return
	}
	w.open('{')
	w.key(sec.title)
	if sec.plain {
		w.open('[')
		for _, it := range sec.items {
			w.item()
			w.text(it.path)
		}
		w.close(']')
	} else {
		w.changes(sec.items)
	}
	w.close('}')
}

func (w *jsonText) changes(items []sectionItem) {
	w.open('{')
	for _, it := range items {
		w.key(it.path)
		if it.keys == nil {
			w.text(it.word)
		} else {
			w.changes(it.keys)
		}
	}
	w.close('}')
}

// jsonText writes JSON in Python's layout with maps in the given order, which
// encoding/json cannot.
type jsonText struct {
	b     strings.Builder
	comma []bool // by depth: something was written there
}

func (w *jsonText) open(c byte) {
	w.b.WriteByte(c)
	w.comma = append(w.comma, false)
}

func (w *jsonText) close(c byte) {
	w.b.WriteByte(c)
	w.comma = w.comma[:len(w.comma)-1]
}

// item begins an element of a list or a map.
func (w *jsonText) item() {
	top := len(w.comma) - 1
	if w.comma[top] {
		w.b.WriteString(", ")
	}
	w.comma[top] = true
}

func (w *jsonText) key(k string) {
	w.item()
	w.text(k)
	w.b.WriteString(": ")
}

func (w *jsonText) text(s string) { w.b.Write(python.JSON(s)) }
