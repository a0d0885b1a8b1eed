"""Elasticsearch's way to send logs: `_bulk` and `_doc`, with the questions that clients ask before.

See https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
"""

from __future__ import annotations

from quarterdeck.telemetry.receivers.elasticsearch.answers import problem
from quarterdeck.telemetry.receivers.elasticsearch.bulk import STREAMS, take_bulk, take_document
from quarterdeck.telemetry.receivers.elasticsearch.probes import ROUTES
from quarterdeck.telemetry.receiving import Client, Receiver, Route

_SEND = ("POST", "PUT")

_PYTHON = """\
from elasticsearch import Elasticsearch, helpers

client = Elasticsearch("{url}", api_key="{key}")
helpers.bulk(client, [{"_op_type": "create", "_index": "logs-app", "@timestamp": "...", "message": "hello"}])
"""
_RSYSLOG = """\
module(load="omelasticsearch")
template(name="ecs" type="list" option.jsonf="on") {
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host.name" name="hostname" format="jsonf")
  property(outname="service.name" name="programname" format="jsonf")
  property(outname="log.level" name="syslogseverity-text" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}
action(type="omelasticsearch" server="{host}" serverport="{port}" searchIndex="logs" bulkmode="on" template="ecs"
       apikey="{key}")
"""
_FILEBEAT = """\
output.elasticsearch:
  hosts: ["{url}"]
  api_key: "quarterdeck:{key}"
  allow_older_versions: true
"""
_FLUENT_BIT = """\
[OUTPUT]
    Name        es
    Match       *
    Host        {host}
    Port        {port}
    HTTP_User   quarterdeck
    HTTP_Passwd {key}
    Suppress_Type_Name On
"""

PLUGIN = Receiver(
    title="Elasticsearch bulk",
    signals=("logs",),
    http_setting="intake_elasticsearch",
    routes=(
        Route(_SEND, "/_bulk", take_bulk),
        Route(_SEND, "/{index}/_bulk", take_bulk),
        # Versions before 8 name a type as well.
        Route(_SEND, "/{index}/{type}/_bulk", take_bulk),
        Route(("POST",), "/{index}/_doc", take_document),
        Route(_SEND, "/{index}/_doc/{id}", take_document),
        Route(_SEND, "/{index}/_create/{id}", take_document),
        *ROUTES,
    ),
    streams=STREAMS,
    clients=(
        Client("Python", _PYTHON, language="python"),
        Client("rsyslog", _RSYSLOG, setting="intake_http", language="text"),
        Client("Filebeat (not tried here)", _FILEBEAT, language="yaml"),
        Client("Fluent Bit (not tried here)", _FLUENT_BIT, language="ini"),
    ),
    problem=problem,
)
