{{- define "qrumb.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "qrumb.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "qrumb.labels" -}}
{{ include "qrumb.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "qrumb.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* What cannot work is refused here, where it can be corrected, and not by a pod that restarts again and again. */ -}}
{{- define "qrumb.refuse" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.clickhouse.url) }}
{{- fail "replicas: more than one needs clickhouse.url, since the embedded ClickHouse belongs to one node" }}
{{- end }}
{{- if and (gt (int .Values.replicas) 1) (not .Values.sites.secret) }}
{{- fail "replicas: more than one needs sites.secret, else each node would make keys of its own" }}
{{- end }}
{{- if and .Values.clickhouse.passwordSecret.name (not .Values.clickhouse.url) }}
{{- fail "clickhouse.passwordSecret is for a server: set clickhouse.url too" }}
{{- end }}
{{- if lt (int .Values.drain.graceSeconds) (add (int .Values.drain.delaySeconds) 50 | int) }}
{{- fail "drain.graceSeconds: a stop takes up to drain.delaySeconds + 50 s; with less, the spool is loaded after the next start only" }}
{{- end }}
{{- end }}
