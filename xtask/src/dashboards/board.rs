//! A sheet of panels as the JSON of a Grafana dashboard (schema version 39, Grafana 11).

use serde_json::{Value, json};

use super::panels::{Kind, Panel, Query, Sheet};

const COLUMNS: u32 = 24;
const STAT_HEIGHT: u32 = 4;
const HEIGHT: u32 = 8;
const SCHEMA: u32 = 39;

/// The dashboard.
pub(super) fn json(sheet: &Sheet) -> Value {
    let mut place = Place::default();
    let panels: Vec<Value> =
        sheet.panels.iter().zip(1_u32..).map(|(shown, id)| panel(shown, id, &mut place)).collect();
    json!({
        "uid": format!("weir-{}", sheet.name),
        "title": sheet.title,
        "description": sheet.about,
        "tags": ["weir"],
        "schemaVersion": SCHEMA,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "tags": ["weir"], "title": "Weir", "asDropdown": true, "includeVars": true, "keepTime": true}],
        "templating": {"list": [project()]},
        "panels": panels,
    })
}

/// The variable `project`: every project there are calls of.
fn project() -> Value {
    json!({
        "name": "project",
        "label": "Project",
        "type": "query",
        "datasource": source(true),
        "query": "SELECT DISTINCT project FROM calls_by_model WHERE minute > now() - INTERVAL 30 DAY ORDER BY project",
        "refresh": 2,
        "multi": true,
        "includeAll": true,
        "current": {"text": "All", "value": "$__all"},
    })
}

/// Where the next panel goes.
#[derive(Default)]
struct Place {
    x: u32,
    y: u32,
    row_height: u32,
}

impl Place {
    fn take(&mut self, width: u32, height: u32) -> Value {
        if self.x + width > COLUMNS {
            self.x = 0;
            self.y += self.row_height;
            self.row_height = 0;
        }
        let taken = json!({"x": self.x, "y": self.y, "w": width, "h": height});
        self.x += width;
        self.row_height = self.row_height.max(height);
        taken
    }
}

fn panel(panel: &Panel, id: u32, place: &mut Place) -> Value {
    let height = if panel.kind == Kind::Stat { STAT_HEIGHT } else { HEIGHT };
    let targets: Vec<Value> =
        panel.queries().zip('A'..).map(|(query, letter)| target(query, panel.kind, letter)).collect();
    json!({
        "id": id,
        "type": panel.kind.as_str(),
        "title": panel.title,
        "description": panel.about,
        "gridPos": place.take(panel.width, height),
        "datasource": source(panel.asks_clickhouse()),
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": drawing(panel)}, "overrides": []},
        "options": options(panel.kind),
    })
}

fn drawing(panel: &Panel) -> Value {
    if panel.kind != Kind::Timeseries {
        return json!({});
    }
    let stacking = if panel.stack { "normal" } else { "none" };
    json!({"drawStyle": "line", "fillOpacity": if panel.stack { 30 } else { 0 }, "showPoints": "never", "stacking": {"mode": stacking, "group": "A"}})
}

fn options(kind: Kind) -> Value {
    match kind {
        Kind::Stat => {
            json!({"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "none", "graphMode": "none"})
        }
        Kind::Timeseries => {
            json!({"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}})
        }
        Kind::Heatmap => json!({"calculate": false, "yAxis": {"unit": "s"}}),
        Kind::Table => json!({"cellHeight": "sm"}),
    }
}

fn target(query: Query<'_>, kind: Kind, letter: char) -> Value {
    match query {
        Query::ClickHouse(sql) => {
            let (format, query_type) =
                if kind == Kind::Timeseries { (0, "timeseries") } else { (1, "table") };
            json!({
                "refId": letter.to_string(),
                "datasource": source(true),
                "editorType": "sql",
                "rawSql": sql,
                "format": format,
                "queryType": query_type,
            })
        }
        Query::Prometheus { expression, legend } => {
            let instant = matches!(kind, Kind::Stat | Kind::Table);
            let format = match kind {
                Kind::Table => "table",
                Kind::Heatmap => "heatmap",
                Kind::Stat | Kind::Timeseries => "time_series",
            };
            json!({
                "refId": letter.to_string(),
                "datasource": source(false),
                "expr": expression,
                "legendFormat": legend,
                "instant": instant,
                "range": !instant,
                "format": format,
            })
        }
    }
}

fn source(clickhouse: bool) -> Value {
    if clickhouse {
        json!({"type": "grafana-clickhouse-datasource", "uid": "weir-clickhouse"})
    } else {
        json!({"type": "prometheus", "uid": "weir-prometheus"})
    }
}
