/** What the console reads of the contract (proto/qrumb/v1), as the gateway's JSON writes it: counts are texts. */

export interface EventRow {
  event_id: string;
  event_time: string;
  received_time: string;
  site_id: string;
  scan_session_id: string;
  qr_code_id: string;
  user_id: string;
  event_type: string;
  event_name: string;
  source: string;
  country_code: string;
  conversion_value: string;
  conversion_currency: string;
  metadata: string;
  is_duplicate: number;
  is_fraud: number;
  is_counterpart: number;
  fraud_reasons: string[];
  unknown_fields: string[];
  client_event_time?: string;
  [column: string]: unknown;
}

export interface Finding {
  field: string;
  reason?: string;
  code?: string;
  description: string;
  help_url: string;
}

export type Fate = "NOT_SEEN" | "SPOOLED" | "STORED" | "DUPLICATE" | "REJECTED";

export interface Receipt {
  event_id: string;
  fate: Fate;
  received_time?: string;
  arrival_count: number;
  conflict_count: number;
  violations: Finding[];
  warnings: Finding[];
  row?: EventRow;
  touches: { qr_code_id: string; scan_session_id: string; scan_time?: string }[];
}

export interface RejectedEvent {
  site_id: string;
  event_id: string;
  source: string;
  received_time: string;
  violations: Finding[];
  payload: string;
}

/** What a replay came to. */
export interface Replayed {
  accepted_count: string;
  rejected_count: string;
  unreadable_count: string;
}

export interface EventReceipt {
  event_id: string;
  outcome: "ACCEPTED" | "REJECTED" | "VALIDATED";
  received_time?: string;
  violations: Finding[];
  warnings: Finding[];
}

export interface Verdict {
  receipt: EventReceipt;
  row?: EventRow;
  is_incomplete?: boolean;
}

export interface Amount {
  currency: string;
  amount: string;
}

export interface Funnel {
  qr_code_id: string;
  scan_count: string;
  visit_count: string;
  conversion_count: string;
  fraud_count: string;
  suspect_scan_count?: string;
  confirmed_scan_count?: string;
  suspect_reasons?: { reason: string; count: string }[];
  amounts: Amount[];
  start_time: string;
  end_time: string;
}

export interface Credit {
  qr_code_id: string;
  conversion_credit: string;
  amounts: Amount[];
}

export interface Attribution {
  attributions: { model: string; credits: Credit[] }[];
  conversion_count: string;
  refund_count: string;
  amounts: Amount[];
}

export interface LedgerEntry {
  minute_time: string;
  received_count: string;
  stored_count: string;
  rejected_count: string;
  spooled_count: string;
  unique_count: string;
  duplicate_count: string;
  conflict_count: string;
  fraud_count: string;
  scan_received_count: string;
  scan_registered_count: string;
  scan_rejected_count: string;
  scan_spooled_count: string;
}

export interface NodeStatus {
  condition: "READY" | "DEGRADED" | "NOT_READY";
  reasons: string[];
  processes: { name: string; serving: boolean; restart_count: number }[];
  spool_bytes: string;
  spool_limit_bytes: string;
  spool_rows: string;
  spool_segments: string;
  oldest_segment_seconds: number;
  full_in_seconds: number;
  quarantined_segments: string;
  free_disk_bytes: string;
  version: string;
  loading?: {
    store_available: boolean;
    store_error_code: number;
    rows_per_second: number;
    last_received_time?: string;
    lag_seconds: number;
  };
}

/** What a site's `watch` rules say is wrong. */
export interface Alarms {
  readonly alarms: readonly { readonly rule: string; readonly qr_code_id: string; readonly began_time: string; readonly text: string }[];
  readonly waiting_message_count: number;
  readonly failure: string;
}
