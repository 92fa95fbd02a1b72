package stages

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"sort"
	"strings"

	"github.com/flowrepro/flow/internal/yaml12"
)

// decodeStruct fills the struct that into points to. A wrong target is an
// error of the program, but stays an error: a stage must not bring down the
// run.
func decodeStruct(prefix string, tree *yaml12.Map, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("decode parameters: want a pointer to a struct, have %T", into)
	}
	d := new(decoder)
	// Decoding into a copy leaves the target alone when anything is wrong.
	tmp := reflect.New(v.Elem().Type()).Elem()
	tmp.Set(v.Elem())
	d.structure(prefix, tree, tmp)
	if err := errors.Join(d.errs...); err != nil {
		if len(d.errs) == 1 {
			return d.errs[0]
		}
		return err
	}
	v.Elem().Set(tmp)
	return nil
}

type decoder struct {
	errs []error
}

func (d *decoder) fail(key, format string, args ...any) {
	d.errs = append(d.errs, &ParamError{Key: key, Msg: fmt.Sprintf(format, args...)})
}

func (d *decoder) structure(key string, tree *yaml12.Map, v reflect.Value) {
	fields := map[string]reflect.Value{}
	required := map[string]bool{}
	var known []string
	d.fields(key, v, func(name string, field reflect.Value, must bool) {
		fields[name], required[name] = field, must
		known = append(known, join(key, name))
	})
	sort.Strings(known)
	seen := map[string]bool{}
	for _, it := range tree.Items {
		name := keyText(it.Key)
		field, ok := fields[name]
		if !ok {
			d.errs = append(d.errs, &ParamError{Key: join(key, name), Msg: "unknown parameter", Known: known})
			continue
		}
		seen[name] = true
		d.value(join(key, name), it.Value, field)
	}
	for _, k := range known {
		if name := k[strings.LastIndexByte(k, '.')+1:]; required[name] && !seen[name] {
			d.fail(k, "missing")
		}
	}
}

// fields yields the tagged fields of a struct, and those of the structs that it
// embeds as if they were its own.
func (d *decoder) fields(key string, v reflect.Value, yield func(name string, field reflect.Value, required bool)) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("param")
		if !ok {
			if f.Anonymous && f.Type.Kind() == reflect.Struct {
				d.fields(key, v.Field(i), yield)
			}
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		if name == "" || !f.IsExported() {
			d.fail(key, "field %s.%s: bad param tag", t, f.Name)
			continue
		}
		yield(name, v.Field(i), option == "required")
	}
}

func (d *decoder) value(key string, value any, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		if value == nil {
			v.SetZero()
			return
		}
		p := reflect.New(v.Type().Elem())
		d.value(key, value, p.Elem())
		v.Set(p)
		return
	}
	if v.Kind() == reflect.Struct {
		switch m := value.(type) {
		case *yaml12.Map:
			d.structure(key, m, v)
		case nil: // an empty section keeps the defaults
		default:
			d.fail(key, "want a mapping, have %s", describe(value))
		}
		return
	}
	if value == nil {
		v.SetZero()
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		b, ok := value.(bool)
		if !ok {
			d.fail(key, "want true or false, have %s", describe(value))
			return
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := value.(int64)
		if !ok {
			d.fail(key, "want an integer, have %s", describe(value))
			return
		}
		if v.OverflowInt(n) {
			d.fail(key, "%d is out of range", n)
			return
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.unsigned(key, value, v)
	case reflect.Float32, reflect.Float64:
		f, ok := float(value)
		if !ok {
			d.fail(key, "want a number, have %s", describe(value))
			return
		}
		v.SetFloat(f)
	case reflect.String:
		s, ok := value.(string)
		if !ok {
			d.fail(key, "want a string, have %s", describe(value))
			return
		}
		v.SetString(s)
	case reflect.Slice:
		d.slice(key, value, v)
	case reflect.Map:
		d.mapping(key, value, v)
	case reflect.Interface:
		if v.NumMethod() != 0 {
			d.fail(key, "cannot decode into %s", v.Type())
			return
		}
		v.Set(reflect.ValueOf(value))
	default:
		d.fail(key, "cannot decode into %s", v.Type())
	}
}

func (d *decoder) unsigned(key string, value any, v reflect.Value) {
	var n uint64
	switch x := value.(type) {
	case int64:
		if x < 0 {
			d.fail(key, "%d is out of range", x)
			return
		}
		n = uint64(x)
	case *big.Int:
		if !x.IsUint64() {
			d.fail(key, "%s is out of range", shorten(x.String()))
			return
		}
		n = x.Uint64()
	default:
		d.fail(key, "want an integer, have %s", describe(value))
		return
	}
	if v.OverflowUint(n) {
		d.fail(key, "%d is out of range", n)
		return
	}
	v.SetUint(n)
}

func (d *decoder) slice(key string, value any, v reflect.Value) {
	list, ok := value.([]any)
	if !ok {
		d.fail(key, "want a list, have %s", describe(value))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, x := range list {
		d.value(fmt.Sprintf("%s[%d]", key, i), x, out.Index(i))
	}
	v.Set(out)
}

func (d *decoder) mapping(key string, value any, v reflect.Value) {
	m, ok := value.(*yaml12.Map)
	if !ok {
		d.fail(key, "want a mapping, have %s", describe(value))
		return
	}
	if v.Type().Key().Kind() != reflect.String {
		d.fail(key, "cannot decode into %s", v.Type())
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(m.Items))
	for _, it := range m.Items {
		x := reflect.New(v.Type().Elem()).Elem()
		d.value(join(key, keyText(it.Key)), it.Value, x)
		out.SetMapIndex(reflect.ValueOf(keyText(it.Key)).Convert(v.Type().Key()), x)
	}
	v.Set(out)
}

// float accepts the numbers a parameter file can hold. Infinities and NaN are
// values in YAML, but no stage has a use for them.
func float(value any) (float64, bool) {
	switch x := value.(type) {
	case float64:
		return x, !math.IsInf(x, 0) && !math.IsNaN(x)
	case int64:
		return float64(x), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		return f, !math.IsInf(f, 0)
	}
	return 0, false
}
