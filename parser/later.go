package parser

// notYet is the rest of the language: the keywords of each block that lvsd
// knows and does not act on. A name that ends in { is a block; one that is no
// key here holds lines of values. What begins to be acted on moves from here
// into a row.
var notYet = map[string]string{
	"": `linkbeat_use_polling net_namespace net_namespace_ipvs namespace_with_ipsets use_pid_dir instance child_wait_time
		track_group{ static_ipaddress{ static_routes{ static_rules{ garp_group{ linkbeat_interfaces{ vrrp_track_process{
		interface_up_down_delays{ SSL{ virtual_server_group{ bfd_instance{ track_file{ vrrp_track_file{`,
	"global_defs": `process_names process_name vrrp_process_name checker_process_name lvs_process_name bfd_process_name use_symlink_paths
		set_supplementary_groups smtp_helo_name startup_script startup_script_timeout shutdown_script shutdown_script_timeout
		max_auto_priority min_auto_priority_delay smtp_alert_vrrp smtp_alert_checker no_email_faults disable_local_igmp
		v3_checksum_as_v2 lvs_timeouts lvs_sync_daemon vrrp_mcast_group6 vrrp_gna_interval vrrp_min_garp vrrp_garp_extra_if
		vrrp_vmac_garp_intvl vrrp_iptables vrrp_ipsets nftables nftables_priority nftables_ifindex vrrp_priority vrrp_no_swap
		vrrp_rt_priority vrrp_cpu_affinity vrrp_rlimit_rttime vrrp_rlimit_rtime nftables_ipvs nftables_ipvs_priority
		nftables_ipvs_start_fwmark nftables_counters notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script
		vrrp_notify_priority_changes fifo_write_vrrp_states_on_reload lvs_notify_fifo lvs_notify_fifo_script checker_priority
		checker_no_swap checker_rt_priority checker_cpu_affinity checker_rlimit_rttime checker_rlimit_rtime bfd_priority
		bfd_no_swap bfd_rt_priority bfd_cpu_affinity bfd_rlimit_rttime bfd_rlimit_rtime snmp_socket enable_traps enable_snmp_vrrp
		enable_snmp_keepalived enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_snmp_checker
		snmp_vs_stats_update_interval snmp_rs_stats_update_interval enable_dbus dbus_service_name dbus_no_interface_name
		vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs
		vrrp_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs process_monitor_rcv_bufs_force lvs_netlink_cmd_rcv_bufs
		lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force no_checker_emails
		vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier vrrp_startup_delay vrrp_delay_after_boot log_unknown_vrids
		vrrp_owner_ignore_adverts vmac_prefix vmac_addr_prefix umask random_seed reload_check_config reload_time_file
		reload_repeat reload_file include_check config_save_dir tmp_config_directory data_use_instance json_version
		iproute_usr_dir iproute_etc_dir state_dump_file stats_dump_file json_dump_file`,
	"track_group":     `group{`,
	"vrrp_sync_group": `track_file{ track_process{ track_bfd{ smtp_alert notify_priority_changes`,
	"garp_group":      `garp_interval gna_interval interface interfaces{`,
	"vrrp_instance": `use_vmac use_vmac_addr vmac_xmit_base use_ipvlan unicast_fault_no_peer old_unicast_checksum native_ipv6 vrf track_file{
		track_process{ track_bfd{ track_src_ip no_virtual_ipaddress promote_secondaries linkbeat_use_polling v3_checksum_as_v2
		virtual_routes{ virtual_rules{ accept no_accept debug smtp_alert notify_priority_changes lvs_sync_daemon_interface
		timer_expired_backup thread_timer_expired garp_extra_if vmac_garp_intvl owner_ignore_adverts kernel_rx_buf_size
		auth_hmac{`,
	"vrrp_instance/auth_hmac": `key active_key time_window anti_replay mode`,
	"vrrp_track_process":      `process param_match weight quorum quorum_max delay terminate_delay fork_delay full_command`,
	"SSL":                     `password ca certificate key`,
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
	"bfd_instance": `source_ip neighbor_ip neighbour_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit max_hops multihop weight vrrp
		checker`,
	"track_file":      `file weight init_file`,
	"vrrp_track_file": `file weight init_file`,
}
