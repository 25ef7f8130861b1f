#!/bin/sh
# t_manifests.sh - the Kubernetes manifests: each key is one that Kubernetes has there (kinds.json, of those that are used), kubectl builds
# them where there is one, and they agree with each other, with the config and with the image. keepalived accepts its example.
# shellcheck disable=SC2016  # jq has variables of its own
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
build=${ONTIME_BUILD:-build}
top=run/deploy/kubernetes
conf=$top/config/ontime.conf
if ! yq --help 2>/dev/null | grep -q jq; then # another program of that name has another language
	echo "skip the manifests: Debian's yq is not installed: run/deps.sh test"
	exit 77
fi
for file in "$top"/*/*.yaml; do
	yq -c . "$file" | jq -c --arg file "$file" '{file: $file, is: .}'
done >"$work/all"

skip() { # NAME REASON
	skipped=$((skipped + 1))
	printf 'skip %s: %s\n' "$1" "$2"
}

none() { # FILTER: it finds nothing in all of the files
	jq -rs "$1" "$work/all" >"$work/found" && ! grep . "$work/found"
}

keys_are_known() {
	jq -r --slurpfile kinds tests/deploy/kinds.json '
		def wrong($its; $at):
			if ($its | type) == "array" then
				if type == "array" then to_entries[] | .key as $i | .value | wrong($its[0]; "\($at)[\($i)]") else "\($at): no list" end
			elif $its == "strings" then
				if type == "object" and all(.[]; type == "string") then empty else "\($at): not all of it are strings" end
			elif $its == "string" or $its == "number" or $its == "boolean" then
				if type == $its then empty else "\($at): no \($its)" end
			elif type != "object" then "\($at): no object"
			else
				to_entries[] | .key as $key | $kinds[0][$its][$key] as $its | .value |
				if $its then wrong($its; "\($at).\($key)") else "\($at).\($key): there is no such key" end
			end;
		.file as $file | .is | .kind as $kind | if $kinds[0][$kind] then wrong($kind; "\($file): ") else "\($file): kind \($kind)?" end' \
		"$work/all" >"$work/found" && ! grep . "$work/found"
}

pods='[.[] | select(.is.spec.template) | .file as $file | .is.spec.template.spec | .file = $file]'
containers="$pods"' | [.[] | .file as $file | (.containers + (.initContainers // []))[] | .file = $file]'

versions_fit() {
	none '.[] | select([.is.kind, .is.apiVersion] | inside(["Deployment", "DaemonSet", "apps/v1"]) or . == ["Service", "v1"] or
		. == ["Kustomization", "kustomize.config.k8s.io/v1beta1"] | not) | .file'
}

selectors_fit() { # each finds the pods of its own template, and the Service those of the Deployment
	none '.[] | select(.is.spec.template and .is.spec.selector.matchLabels != .is.spec.template.metadata.labels) | .file' &&
		none '([.[] | select(.is.kind == "Deployment").is.spec.template.metadata.labels]) as $labels |
			.[] | select(.is.kind == "Service" and ([.is.spec.selector] | inside($labels) | not)) | .file'
}

ports_fit() { # those of the config, in each file that names some
	sed -n 's/^listen = .*:\([0-9]*\)$/\1/p' "$conf" | sort >"$work/ports"
	sed -n 's/^EXPOSE //p' run/deploy/Containerfile | tr ' ' '\n' | sed 's/\/.*//' | sort | cmp - "$work/ports" || return 1
	for file in deployment pod; do
		jq -r "select(.file == \"$top/$file/$file.yaml\") | .is.spec.template.spec.containers[].ports[]?.containerPort" "$work/all" | sort | cmp - "$work/ports" || return 1
	done
	jq -r 'select(.is.kind == "Service").is.spec.ports[].port' "$work/all" | sort | comm -23 - "$work/ports" | grep . && return 1
	none '.[] | select(.is.kind == "Service") | .file as $file | .is.spec.ports[] | select(.name != .targetPort) | "\($file): \(.name)"'
}

mounts_fit() {
	none "$pods"' | .[] | .file as $file | [.volumes[].name] as $there | .containers[].volumeMounts[] | select([.name] | inside($there) | not) | "\($file): \(.name)"'
}

nothing_is_privileged() { # no pod may gain rights or write to its root; each capability is named
	none "$containers"' | .[] | .securityContext as $s | select($s.allowPrivilegeEscalation != false or $s.readOnlyRootFilesystem != true or
		$s.capabilities.drop != ["ALL"]) | "\(.file): \(.name)"' &&
		none "$pods"' | .[] | select(.securityContext.seccompProfile.type != "RuntimeDefault") | .file' &&
		none "$pods"' | .[] | select(.securityContext.runAsNonRoot != true and .hostNetwork != true) | .file' &&
		none "$containers"' | .[] | select((.resources.requests.memory and .resources.limits.memory and .resources.limits.cpu == null) | not) | "\(.file): \(.name)"'
}

drains_first() { # one container of a pod, and for less than the pod has to end
	none "$pods"' | .[] | [.containers[].lifecycle.preStop.exec.command // empty] as $stops |
		select(($stops | length) != 1 or $stops[0][0:3] != ["ontime", "drain", "--wait"] or ($stops[0][3] | tonumber) + 10 > .terminationGracePeriodSeconds) | .file'
}

probes_fit() { # a pod is asked whether it is ready, by the dashboard; /live and /ready are what it has
	none "$pods"' | .[] | select([.containers[].readinessProbe.httpGet | select(.) | .path] != ["/ready"]) | .file' &&
		none "$containers"' | .[] | select((.livenessProbe.httpGet.path // "/live") != "/live" or (.livenessProbe.httpGet.port // 9999) != 9999) | .file' &&
		grep -q '"/ready"' run/dash/http.c && grep -q '"/live"' run/dash/http.c
}

programs_are_there() { # of the image: what make install puts there
	make -s DESTDIR="$work/image" PREFIX=/usr install >"$work/install" 2>&1 || { cat "$work/install" && return 1; }
	{
		jq -rs "$containers"' | .[] | .command[0]?, .lifecycle.preStop.exec.command[0]?, .livenessProbe.exec.command[0]? | select(.)' "$work/all"
		sed -n 's/^ENTRYPOINT \["\([^"]*\)".*/\1/p; s/^HEALTHCHECK .*CMD \["\([^"]*\)".*/\1/p' run/deploy/Containerfile
	} | sort -u >"$work/programs"
	cat "$work/programs"
	while read -r program; do
		case $program in /*) ;; *) program=/usr/bin/$program ;; esac
		[ -L "$work/image$program" ] || [ -x "$work/image$program" ] || { echo "$program is not in the image" && return 1; }
	done <"$work/programs"
}

config_is_right() { # as it is, and as the DaemonSet has it
	"$build/hold" --check -c "$conf" && "$build/hold" --check -c "$conf" "$(jq -r 'select(.is.kind == "DaemonSet").is.spec.template.spec.containers[0].args[0]' "$work/all")"
}

keepalived_accepts() { # where the interface is that it names
	unshare --net sh -c 'ip link add eth0 type veth peer name eth1 && ip link set eth0 up && ip addr add 192.0.2.10/24 dev eth0 &&
		keepalived -t -f run/deploy/keepalived.conf'
}

kubectl_builds_them() {
	for folder in deployment daemonset pod; do
		kubectl kustomize "$top/$folder" >"$work/built" || return 1
		grep -q 'name: ontime-[a-z0-9]*$' "$work/built" && grep -q 'instance = default' "$work/built" || return 1
	done
}

check "every key is one that Kubernetes has there" keys_are_known
check "kinds and versions fit" versions_fit
check "selectors find their pods" selectors_fit
check "ports are those of the config, in manifests and image" ports_fit
check "what is mounted is there" mounts_fit
check "nothing gains rights, and memory is bounded" nothing_is_privileged
check "one container of each pod drains it before it ends" drains_first
check "probes ask what the dashboard answers" probes_fit
check "every program they start is in the image" programs_are_there
check "the config is right" config_is_right
if command -v kubectl >/dev/null; then
	check "kubectl builds them, with the config's name in each" kubectl_builds_them
else
	skip "kubectl builds them, with the config's name in each" "kubectl is not installed"
fi
if command -v keepalived >/dev/null && unshare --net true 2>/dev/null; then
	check "keepalived accepts its example" keepalived_accepts
else
	skip "keepalived accepts its example" "it needs keepalived, which is not installed, and root"
fi
verdict manifests
