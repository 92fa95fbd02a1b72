package mlflow

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sort"
	"strings"

	"github.com/flowrepro/flow/track"
)

const (
	pageModels   = 1000
	pageVersions = 1000
)

// registered calls a route of the registry. DELETE has its arguments in the
// body, like everything else but GET.
func (s *Store) registered(ctx context.Context, op, method, path string, args object, out any) error {
	r := request{op: op, endpoint: s.registry, method: method, path: path}
	if method == http.MethodGet {
		r.query = url.Values{}
		for k, v := range args {
			if text, ok := v.(string); ok && text != "" {
				r.query.Set(k, text)
			}
		}
	} else {
		r.body = args
	}
	return s.call(ctx, r, out)
}

// EnsureModel implements track.Registry.
func (s *Store) EnsureModel(ctx context.Context, name, description string) error {
	op := "create registered model '" + name + "'"
	if err := track.CheckModelName(op, name); err != nil {
		return err
	}
	if _, err := s.Model(ctx, name); !errors.Is(err, track.ErrNotFound) {
		return err
	}
	err := s.registered(ctx, op, http.MethodPost, "registered-models/create", object{"name": name, "description": description}, nil)
	if alreadyExists(err) { // another process was faster, or the answer was lost
		return nil
	}
	return err
}

// Model implements track.Registry.
func (s *Store) Model(ctx context.Context, name string) (track.Model, error) {
	var out struct {
		Model wireModel `json:"registered_model"`
	}
	err := s.registered(ctx, "get registered model '"+name+"'", http.MethodGet, "registered-models/get", object{"name": name}, &out)
	return out.Model.model(), err
}

// Models implements track.Registry.
func (s *Store) Models(ctx context.Context) ([]track.Model, error) {
	const op = "list registered models"
	var list []track.Model
	err := pages(op, func(token string) (string, error) {
		var out struct {
			Models []wireModel `json:"registered_models"`
			Next   string      `json:"next_page_token"`
		}
		args := object{"max_results": versionText(pageModels), "page_token": token}
		err := s.registered(ctx, op, http.MethodGet, "registered-models/search", args, &out)
		for _, m := range out.Models {
			list = append(list, m.model())
		}
		return out.Next, err
	})
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list, err
}

// SetModelTag implements track.Registry.
func (s *Store) SetModelTag(ctx context.Context, name string, tag track.Pair) error {
	op := "tag registered model '" + name + "'"
	if err := track.CheckRegistryTag(op, tag); err != nil {
		return err
	}
	return s.registered(ctx, op, http.MethodPost, "registered-models/set-tag",
		object{"name": name, "key": tag.Key, "value": tag.Value}, nil)
}

// SetAlias implements track.Registry.
func (s *Store) SetAlias(ctx context.Context, name, alias string, version int) error {
	op := "set alias '" + alias + "' of model '" + name + "'"
	if err := track.CheckAlias(op, alias); err != nil {
		return err
	}
	return s.registered(ctx, op, http.MethodPost, "registered-models/alias",
		object{"name": name, "alias": alias, "version": versionText(version)}, nil)
}

// DeleteAlias implements track.Registry.
func (s *Store) DeleteAlias(ctx context.Context, name, alias string) error {
	err := s.registered(ctx, "delete alias '"+alias+"' of model '"+name+"'", http.MethodDelete, "registered-models/alias",
		object{"name": name, "alias": alias}, nil)
	if missingAlias(err) {
		return nil
	}
	return err
}

// missingAlias recognises the answer for an alias that does not exist, which is
// INVALID_PARAMETER_VALUE.
func missingAlias(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.errorCode == "INVALID_PARAMETER_VALUE" && strings.Contains(status.message, "not found")
}

// VersionByAlias implements track.Registry.
func (s *Store) VersionByAlias(ctx context.Context, name, alias string) (track.Version, error) {
	op := "get alias '" + alias + "' of model '" + name + "'"
	var out struct {
		Version wireVersion `json:"model_version"`
	}
	err := s.registered(ctx, op, http.MethodGet, "registered-models/alias", object{"name": name, "alias": alias}, &out)
	if missingAlias(err) {
		return track.Version{}, track.NotFound(op)
	}
	return out.Version.version(), err
}
