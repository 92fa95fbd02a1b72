package project

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// rule checks one value: a string or a []string. It returns what is wrong
// with it, in DVC's words, or "".
type rule func(v any) string

func anyText(v any) string {
	if _, ok := v.(string); !ok {
		return "expected str"
	}
	return ""
}

func anything(any) string { return "" }

func boolean(v any) string {
	s, ok := v.(string)
	if ok && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false")) {
		return ""
	}
	return "expected true or false"
}

// integer accepts what Python's int() does: blanks around, a sign, single
// underscores between digits.
func integer(v any) string {
	if _, ok := pythonInt(v); !ok {
		return "expected int"
	}
	return ""
}

func pythonInt(v any) (int64, bool) {
	s, ok := v.(string)
	if !ok {
		return 0, false
	}
	s = strings.TrimSpace(s)
	digits := strings.TrimLeft(s, "+-")
	if digits == "" || len(s)-len(digits) > 1 || digits[0] == '_' || digits[len(digits)-1] == '_' || strings.Contains(digits, "__") {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	return n, err == nil
}

func integerIn(low, high int64) rule {
	return func(v any) string {
		n, ok := pythonInt(v)
		switch {
		case !ok:
			return "expected int"
		case n < low:
			return fmt.Sprintf("value must be at least %d", low)
		case n > high:
			return fmt.Sprintf("value must be at most %d", high)
		}
		return ""
	}
}

func notNegative(v any) string {
	s, ok := v.(string)
	if !ok {
		return "expected float"
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return "expected float"
	}
	if f < 0 || math.IsNaN(f) {
		return "value must be at least 0"
	}
	return ""
}

func float(v any) string {
	if msg := notNegative(v); msg == "expected float" {
		return msg
	}
	return ""
}

// never fails for every text: DVC's schema asks for a value that no
// configuration file can hold.
func never(kind string) rule { return func(any) string { return "expected " + kind } }

func oneOf(choices ...string) rule {
	return func(v any) string {
		if s, ok := v.(string); ok && slices.Contains(choices, strings.ToLower(s)) {
			return ""
		}
		return "expected one of " + strings.Join(choices, ", ")
	}
}

func boolOrText(v any) string { return anyText(v) }

func linkTypes(v any) string {
	var bad []string
	for _, t := range textList(v) {
		switch t {
		case "reflink", "hardlink", "symlink", "copy":
		default:
			bad = append(bad, t)
		}
	}
	if len(bad) == 0 {
		return ""
	}
	return "Unsupported cache type(s): " + strings.Join(bad, ", ")
}

// textList reads a list value, or one that is a comma-separated text.
func textList(v any) []string {
	switch v := v.(type) {
	case []string:
		return v
	case string:
		parts := strings.Split(v, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		return parts
	}
	return nil
}

// shape says which keys a section may have.
type shape map[string]rule

// with returns the union of shapes.
func (s shape) with(more ...shape) shape {
	out := make(shape, len(s)+8)
	for k, r := range s {
		out[k] = r
	}
	for _, m := range more {
		for k, r := range m {
			out[k] = r
		}
	}
	return out
}

// texts is a shape of free texts, booleans one of true or false.
func texts(keys string) shape    { return uniform(keys, anyText) }
func booleans(keys string) shape { return uniform(keys, boolean) }

func uniform(keys string, r rule) shape {
	s := shape{}
	for _, k := range strings.Fields(keys) {
		s[k] = r
	}
	return s
}

var positive = integerIn(1, math.MaxInt64)

// sectionOrder is the order in which sections are checked and reported.
const sectionOrder = "core cache remote state index machine feature plots exp parsing hydra studio db flow"

// sectionShape returns the keys of a plain section, nil when there is no such
// section. Own keys of flow are in the section "flow".
func sectionShape(name string, f *Format) shape {
	switch name {
	case "core":
		s := booleans("interactive analytics hardlink_lock no_scm autostage experiments check_update").
			with(texts("site_cache_dir"), shape{"remote": anything, "machine": anything, "checksum_jobs": positive})
		if f == Native {
			s["jobs"] = positive
		}
		return s
	case "cache":
		return texts("local s3 gs hdfs webhdfs ssh azure dir").with(localShape())
	case "state":
		return texts("dir").with(shape{"row_limit": positive, "row_cleanup_quota": integerIn(0, 100)})
	case "index":
		return texts("dir")
	case "plots":
		return texts("html_template out_dir").with(booleans("auto_open"))
	case "exp":
		return texts("code data models metrics params plots live git_remote").with(booleans("auto_push"))
	case "parsing":
		return shape{"bool": oneOf("store_true", "boolean_optional"), "list": oneOf("nargs", "append")}
	case "hydra":
		return texts("config_dir config_module config_name plugins_path").with(booleans("enabled"))
	case "studio":
		return texts("token url repo_url").with(booleans("offline"))
	case "flow":
		return shape{
			"jobs": positive, "checksum_jobs": positive, "bandwidth": anyText,
		}.with(booleans("run_cache keep_going lock_wait pull push_run_cache packs cache_packs"), texts("tracking_uri registry_uri token_env"))
	}
	return nil
}

func localShape() shape {
	return booleans("protected slow_link_warning verify").with(shape{"type": linkTypes, "shared": oneOf("group")})
}

// remoteShape returns the keys of a remote with the given URL scheme, or nil
// for an unknown scheme. The scheme "remote" refers to another remote, and
// anything may be overridden there.
func remoteShape(scheme string) shape {
	common := texts("url").
		with(booleans("worktree no_traverse version_aware"), shape{"checksum_jobs": positive, "jobs": positive})
	switch scheme {
	case "":
		return common.with(localShape())
	case "s3":
		return common.with(
			texts("region profile credentialpath configpath endpointurl access_key_id secret_access_key session_token "+
				"sse sse_kms_key_id sse_customer_algorithm sse_customer_key acl grant_read grant_read_acp "+
				"grant_write_acp grant_full_control"),
			booleans("listobjects use_ssl allow_anonymous_login verify"),
			shape{"ssl_verify": boolOrText, "cache_regions": never("bool"), "read_timeout": integer, "connect_timeout": integer})
	case "gs":
		return common.with(texts("projectname credentialpath endpointurl"), booleans("verify allow_anonymous_login"))
	case "ssh":
		return common.with(texts("user password passphrase keyfile"),
			booleans("ask_password ask_passphrase gss_auth allow_agent verify"),
			shape{"type": linkTypes, "port": integer, "timeout": integer, "max_sessions": integer})
	case "hdfs":
		return common.with(texts("user kerb_ticket"), shape{"replication": never("int")})
	case "webhdfs":
		return common.with(texts("kerberos_principal proxy_to token user password data_proxy_target"),
			booleans("kerberos use_https verify"), shape{"ssl_verify": boolOrText})
	case "azure":
		return common.with(
			texts("connection_string sas_token account_name account_key tenant_id client_id client_secret"),
			booleans("allow_anonymous_login exclude_environment_credential exclude_visual_studio_code_credential "+
				"exclude_shared_token_cache_credential exclude_managed_identity_credential verify"),
			shape{"timeout": integer, "read_timeout": integer, "connection_timeout": integer})
	case "oss":
		return common.with(texts("oss_key_id oss_key_secret oss_endpoint"), booleans("verify"))
	case "gdrive":
		return common.with(
			texts("profile gdrive_client_id gdrive_client_secret gdrive_user_credentials_file "+
				"gdrive_service_account_user_email gdrive_service_account_json_file_path"),
			booleans("gdrive_use_service_account gdrive_trash_only gdrive_acknowledge_abuse verify"))
	case "http", "https":
		return common.with(texts("custom_auth_header user password method"), booleans("ask_password verify"),
			shape{"auth": oneOf("basic", "digest", "custom"), "ssl_verify": boolOrText,
				"connect_timeout": notNegative, "read_timeout": notNegative})
	case "webdav", "webdavs":
		return common.with(texts("user password token bearer_token_command custom_auth_header cert_path key_path"),
			booleans("ask_password verify"), shape{"timeout": integer, "ssl_verify": boolOrText})
	}
	return nil
}

func machineShape() shape {
	return texts("image ssh_private startup_script setup_script").with(booleans("spot"), shape{
		"cloud": oneOf("aws", "azure"), "region": oneOf("us-west", "us-east", "eu-west", "eu-north"),
		"spot_price": float, "instance_hdd_size": integer, "instance_type": anything, "instance_gpu": anything,
	})
}

// urlScheme returns the scheme that chooses a remote's shape: "" for
// anything without a host, which is a local path.
func urlScheme(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok || strings.HasPrefix(rest, "/") || rest == "" || !isScheme(scheme) {
		return ""
	}
	if runtime.GOOS == "windows" && len(scheme) == 1 {
		return ""
	}
	return strings.ToLower(scheme)
}

func isScheme(s string) bool {
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != ""
}
