package parser

// notYet is the rest of the language: the keywords of each block that lvsd
// knows and does not act on. A name that ends in { is a block; one that is no
// key here holds lines of values. What begins to be acted on moves from here
// into a row.
var notYet = map[string]string{
	"":    `SSL{ virtual_server_group{`,
	"SSL": `password ca certificate key`,
	"virtual_server": `ip_family persistence_engine ha_suspend smtp_alert virtualhost snmp_name omega quorum_up quorum_down quorum hysteresis
		sorry_server sorry_server_inhibit sorry_server_lvs_method`,
	"virtual_server/real_server": `smtp_alert virtualhost snmp_name MISC_CHECK{ SMTP_CHECK{ PING_CHECK{ UDP_CHECK{ HTTP_GET{ SSL_GET{ DNS_CHECK{ FILE_CHECK{
		BFD_CHECK{`,
	"virtual_server/real_server/MISC_CHECK": `retry delay_before_retry warmup delay_loop alpha log_all_failures misc_path misc_timeout misc_dynamic user`,
	"virtual_server/real_server/SMTP_CHECK": `helo_name connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry delay_before_retry warmup
		delay_loop alpha log_all_failures host{`,
	"virtual_server/real_server/SMTP_CHECK/host": `connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry delay_before_retry warmup delay_loop alpha
		log_all_failures`,
	"virtual_server/real_server/PING_CHECK": `connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry delay_before_retry warmup delay_loop alpha
		log_all_failures`,
	"virtual_server/real_server/UDP_CHECK": `connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry delay_before_retry warmup delay_loop alpha
		log_all_failures payload require_reply min_reply_length max_reply_length`,
	"virtual_server/real_server/HTTP_GET": `connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry delay_before_retry warmup delay_loop alpha
		log_all_failures nb_get_retry virtualhost http_protocol enable_sni sni_name fast_recovery url{`,
	"virtual_server/real_server/HTTP_GET/url": `path digest status_code virtualhost regex regex_no_match regex_options regex_min_offset regex_max_offset regex_stack`,
	"virtual_server/real_server/SSL_GET": `connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry delay_before_retry warmup delay_loop alpha
		log_all_failures nb_get_retry virtualhost http_protocol enable_sni sni_name fast_recovery tls_compliant url{`,
	"virtual_server/real_server/SSL_GET/url": `path digest status_code virtualhost regex regex_no_match regex_options regex_min_offset regex_max_offset regex_stack
		tls_compliant`,
	"virtual_server/real_server/DNS_CHECK": `connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry delay_before_retry warmup delay_loop alpha
		log_all_failures type name`,
	"virtual_server/real_server/FILE_CHECK": `track_file weight`,
	"virtual_server/real_server/BFD_CHECK":  `name alpha`,
}
