package pipeline

import (
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/flowrepro/flow/internal/yaml12"
)

// decodeTOML reads a TOML file. Keys keep the order of their first mention.
func decodeTOML(name string, data []byte) (any, error) {
	var m map[string]any
	if err := toml.Unmarshal(data, &m); err != nil {
		e := &yaml12.Error{Kind: yaml12.Syntax, File: name, Msg: "not TOML: " + err.Error()}
		var de *toml.DecodeError
		if errors.As(err, &de) {
			e.Line, e.Column = de.Position()
		}
		return nil, yaml12.Errors{e}
	}
	order := &keyOrder{}
	order.scan(data)
	return tomlValue(m, order), nil
}

func tomlValue(v any, order *keyOrder) any {
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Slice(keys, func(i, j int) bool {
			a, b := order.rank(keys[i]), order.rank(keys[j])
			if a != b {
				return a < b
			}
			return keys[i] < keys[j]
		})
		m := &yaml12.Map{Items: make([]yaml12.Item, len(keys))}
		for i, k := range keys {
			m.Items[i] = yaml12.Item{Key: k, Value: tomlValue(v[k], order.below(k))}
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = tomlValue(e, order)
		}
		return list
	case time.Time:
		return yaml12.Timestamp(v.Format(time.RFC3339Nano))
	case toml.LocalDate, toml.LocalDateTime, toml.LocalTime:
		return yaml12.Timestamp(fmt.Sprint(v))
	}
	return v
}

// keyOrder is a tree of keys in the order of their first mention. Elements of
// arrays share one node.
type keyOrder struct {
	at  map[string]int
	sub []*keyOrder
}

func (o *keyOrder) add(key string) *keyOrder {
	if i, ok := o.at[key]; ok {
		return o.sub[i]
	}
	if o.at == nil {
		o.at = map[string]int{}
	}
	o.at[key] = len(o.sub)
	o.sub = append(o.sub, &keyOrder{})
	return o.sub[len(o.sub)-1]
}

func (o *keyOrder) rank(key string) int {
	if o != nil {
		if i, ok := o.at[key]; ok {
			return i
		}
	}
	return 1 << 30
}

func (o *keyOrder) below(key string) *keyOrder {
	if o != nil {
		if i, ok := o.at[key]; ok {
			return o.sub[i]
		}
	}
	return nil
}

// scan walks the text, which is known to be valid.
func (o *keyOrder) scan(data []byte) {
	p := unstable.Parser{}
	p.Reset(data)
	table := o
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = o
			for it := e.Key(); it.Next(); {
				table = table.add(string(it.Node().Data))
			}
		case unstable.KeyValue:
			table.keyValue(e)
		}
	}
}

func (o *keyOrder) keyValue(e *unstable.Node) {
	for it := e.Key(); it.Next(); {
		o = o.add(string(it.Node().Data))
	}
	o.value(e.Value())
}

func (o *keyOrder) value(v *unstable.Node) {
	for it := v.Children(); it.Next(); {
		switch c := it.Node(); {
		case c.Kind == unstable.KeyValue:
			o.keyValue(c)
		case v.Kind == unstable.Array:
			o.value(c)
		}
	}
}
