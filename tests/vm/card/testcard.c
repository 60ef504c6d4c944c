// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * A network card for tests: four ports, two cables (card0 = card1, card2 = card3), hardware timestamps by up to four PTP
 * clocks, and the faults that cards have, switched while it runs. Only for a guest that is thrown away: it is never unloaded.
 *
 * Its clocks start a second apart.
 *
 * Parameters, in /sys/module/testcard/parameters:
 *   clocks       which clock timestamps each port (default 0,1,1,2: those of the gateway share one)
 *   ports        the ports that have the faults, one bit each (default 6: those of the gateway); others are ideal
 *   one          1: one transmit timestamp at a time; a frame that finds the place taken gets none
 *   delay_us     a transmit timestamp comes so long after its frame
 *   lose         each so-manyth transmit timestamp never comes (0: none)
 *   no_tx, no_rx 1: no transmit, no receive timestamps, though the driver offers them
 *   rx_lose      each so-manyth event message is received without a timestamp (0: none)
 *   vlan_blind   1: tagged frames are received without one
 *   no_sw        1: the driver has no software transmit timestamps
 *   done_us      a frame that was sent is given back so long after
 *   read_ns      reading a clock takes so long; it is read somewhere in between
 *   precise      1: the clocks have PTP_SYS_OFFSET_PRECISE
 *   forgets      1: a port that goes down forgets that it was to timestamp, as where a driver resets its card
 *
 * /proc/testcard/wire    each PTP message that went over a cable, as ptp_line() writes it: the truth, by one clock. Writing clears it.
 * /proc/testcard/clocks  the first clock, and the others less that one, at one moment
 * /proc/testcard/clock   takes "step CLOCK NS", "ppb CLOCK PPB", and "remake PORT 0" or "remake PORT 1": the port is deleted and made
 *                        anew, with 1 its clock as well, as where a driver is unbound from its card and bound again
 */
#include <linux/module.h>
#include <linux/version.h>
#include <linux/netdevice.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/if_vlan.h>
#include <linux/net_tstamp.h>
#include <linux/ptp_clock_kernel.h>
#include <linux/hrtimer.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/random.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#define PORTS 4
#define CLOCKS 4
#define RECORDS (1u << 16)

static int clocks[PORTS] = { 0, 1, 1, 2 };
module_param_array(clocks, int, NULL, 0644);

static int ports = 6, one, delay_us = 30, lose, no_tx, no_rx, rx_lose, vlan_blind, no_sw, done_us, read_ns, precise, forgets;
#define FAULT(name) module_param(name, int, 0644)
FAULT(ports); FAULT(one); FAULT(delay_us); FAULT(lose); FAULT(no_tx); FAULT(no_rx); FAULT(rx_lose); FAULT(vlan_blind);
FAULT(no_sw); FAULT(done_us); FAULT(read_ns); FAULT(precise); FAULT(forgets);

/* Clocks: each a line over the machine's raw clock. */

struct clock {
	spinlock_t lock;
	u64 raw;		/* here the line */
	s64 value;		/* has this value, */
	s64 rate;		/* and is this much faster, in 2^-32 */
	struct ptp_clock_info info;
	struct ptp_clock *ptp;
};

static struct clock clock_of[CLOCKS];

static s64 clock_at(struct clock *c, u64 raw)
{
	unsigned long flags;
	s64 value, elapsed;

	spin_lock_irqsave(&c->lock, flags);
	elapsed = raw - c->raw;
	value = c->value + elapsed + ((elapsed * c->rate) >> 32);
	/* Before the product outgrows its type. */
	if (elapsed > 100 * NSEC_PER_SEC) {
		c->raw = raw;
		c->value = value;
	}
	spin_unlock_irqrestore(&c->lock, flags);
	return value;
}

static void clock_change(struct clock *c, s64 step, const s64 *rate, const s64 *set)
{
	u64 raw = ktime_get_raw_ns();
	s64 value = clock_at(c, raw);
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	c->raw = raw;
	c->value = (set ? *set : value) + step;
	if (rate)
		c->rate = *rate;
	spin_unlock_irqrestore(&c->lock, flags);
}

static s64 rate_of_ppb(s64 ppb)
{
	return div_s64(ppb << 32, NSEC_PER_SEC);
}

#define CLOCK(i) container_of(i, struct clock, info)

static int card_adjfine(struct ptp_clock_info *info, long scaled_ppm)
{
	s64 rate = div_s64((s64)scaled_ppm << 16, 1000000);

	clock_change(CLOCK(info), 0, &rate, NULL);
	return 0;
}

static int card_adjtime(struct ptp_clock_info *info, s64 step)
{
	clock_change(CLOCK(info), step, NULL, NULL);
	return 0;
}

static int card_settime(struct ptp_clock_info *info, const struct timespec64 *time)
{
	s64 value = timespec64_to_ns(time);

	clock_change(CLOCK(info), 0, NULL, &value);
	return 0;
}

/* As if read_ns passed between the system's clock before and after: what the calls take in an emulated machine is left out. */
static int card_gettime(struct ptp_clock_info *info, struct timespec64 *time, struct ptp_system_timestamp *system)
{
	u32 window = max(read_ns, 0), first = window ? get_random_u32() % window : 0;
	struct system_time_snapshot now;
	ktime_t base;

	ktime_get_snapshot(&now);
	*time = ns_to_timespec64(clock_at(CLOCK(info), ktime_to_ns(now.raw)));
	if (system) {
		base = now.real;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
		if (system->clockid == CLOCK_MONOTONIC_RAW)
			base = now.raw;
#endif
		system->pre_ts = ktime_to_timespec64(ktime_sub_ns(base, first));
		system->post_ts = ktime_to_timespec64(ktime_add_ns(base, window - first));
	}
	return 0;
}

static int card_cross(struct ptp_clock_info *info, struct system_device_crosststamp *cross)
{
	if (!precise)
		return -EOPNOTSUPP;
	cross->sys_monoraw = ktime_get_raw();
	cross->sys_realtime = ktime_get_real();
	cross->device = ns_to_ktime(clock_at(CLOCK(info), ktime_to_ns(cross->sys_monoraw)));
	return 0;
}

static int clock_start(int n)
{
	struct clock *c = &clock_of[n];

	spin_lock_init(&c->lock);
	c->raw = ktime_get_raw_ns();
	c->value = ktime_get_real_ns() + n * (s64)NSEC_PER_SEC;
	c->info = (struct ptp_clock_info){
		.owner = THIS_MODULE, .name = "testcard", .max_adj = 500000000,
		.adjfine = card_adjfine, .adjtime = card_adjtime, .settime64 = card_settime,
		.gettimex64 = card_gettime, .getcrosststamp = card_cross,
	};
	c->ptp = ptp_clock_register(&c->info, NULL);
	return PTR_ERR_OR_ZERO(c->ptp);
}

/* The truth: what went over the cables, and when. */

struct record {
	u64 raw;
	s64 correction;
	u16 sequence, vlan;
	u8 port, type, domain, source[10], requester[10];
	u32 span;		/* from before the software transmit timestamp until after that of its receipt */
};

static struct record *records;
static unsigned int recorded;
static DEFINE_SPINLOCK(record_lock);

/* The PTP message in a frame, or NULL; its VLAN ID. */
static const u8 *ptp_message(const struct sk_buff *skb, u16 *vlan)
{
	const u8 *p = skb->data;
	unsigned int at = 12, end = skb_headlen(skb);

	*vlan = skb_vlan_tag_present(skb) ? skb_vlan_tag_get_id(skb) : 0;
	while (at + 4 < end && p[at] == 0x81 && !p[at + 1]) {
		*vlan = (p[at + 2] << 8 | p[at + 3]) & VLAN_VID_MASK;
		at += 4;
	}
	if (at + 2 + 44 > end)
		return NULL;
	if (p[at] == 0x88 && p[at + 1] == 0xf7)
		return p + at + 2;
	if (p[at] == 8 && !p[at + 1] && p[at + 2] == 0x45 && p[at + 11] == 17 && p[at + 24] == 1 &&
	    (p[at + 25] == 0x3f || p[at + 25] == 0x40) && at + 30 + 44 <= end)
		return p + at + 30;
	return NULL;
}

static bool is_event(const u8 *message)
{
	return message && (message[0] & 15) < 4;
}

static struct record *record(int port, const struct sk_buff *skb, const u8 *message, u16 vlan, u64 raw)
{
	struct record *r = NULL;
	unsigned long flags;

	spin_lock_irqsave(&record_lock, flags);
	if (recorded < RECORDS) {
		r = &records[recorded++];
		*r = (struct record){
			.raw = raw, .port = port, .vlan = vlan, .type = message[0] & 15, .domain = message[4],
			.correction = get_unaligned_be64(message + 8), .sequence = get_unaligned_be16(message + 30),
		};
		memcpy(r->source, message + 20, 10);
		if (r->type == 9 && message + 54 <= skb_tail_pointer(skb))
			memcpy(r->requester, message + 44, 10);
	}
	spin_unlock_irqrestore(&record_lock, flags);
	return r;
}

static void *wire_start(struct seq_file *s, loff_t *pos) { return *pos < recorded ? &records[*pos] : NULL; }
static void *wire_next(struct seq_file *s, void *v, loff_t *pos) { return ++*pos < recorded ? &records[*pos] : NULL; }
static void wire_stop(struct seq_file *s, void *v) { }

/* NS PORT TYPE DOMAIN SEQUENCE CORRECTION(2^-16 ns) SOURCE REQUESTER VLAN SPAN */
static int ptp_line(struct seq_file *s, void *v)
{
	struct record *r = v;

	seq_printf(s, "%llu %u %u %u %u %lld %10phN %10phN %u %u\n", r->raw, r->port, r->type, r->domain, r->sequence, r->correction,
		   r->source, r->requester, r->vlan, r->span);
	return 0;
}

static const struct seq_operations wire_lines = { .start = wire_start, .next = wire_next, .stop = wire_stop, .show = ptp_line };
static int wire_open(struct inode *inode, struct file *file) { return seq_open(file, &wire_lines); }

static ssize_t wire_clear(struct file *file, const char __user *text, size_t length, loff_t *at)
{
	unsigned long flags;

	spin_lock_irqsave(&record_lock, flags);
	recorded = 0;
	spin_unlock_irqrestore(&record_lock, flags);
	return length;
}

static const struct proc_ops wire_ops = {
	.proc_open = wire_open, .proc_read = seq_read, .proc_lseek = seq_lseek, .proc_release = seq_release, .proc_write = wire_clear,
};

static int clocks_show(struct seq_file *s, void *v)
{
	u64 raw = ktime_get_raw_ns();
	s64 first = clock_at(&clock_of[0], raw);
	int n;

	seq_printf(s, "%lld", first);
	for (n = 1; n < CLOCKS; n++)
		seq_printf(s, " %lld", clock_at(&clock_of[n], raw) - first);
	seq_putc(s, '\n');
	return 0;
}

static int port_remake(int n, bool with_clock);

static ssize_t clock_order(struct file *file, const char __user *text, size_t length, loff_t *at)
{
	char line[64] = { }, word[8];
	long long value;
	s64 rate;
	int n;

	if (length >= sizeof(line) || copy_from_user(line, text, length))
		return -EINVAL;
	if (sscanf(line, "%7s %d %lld", word, &n, &value) != 3 || n < 0 || n >= CLOCKS)
		return -EINVAL;
	rate = rate_of_ppb(value);
	if (!strcmp(word, "remake"))
		return port_remake(n, value) ?: length;
	if (!strcmp(word, "step"))
		clock_change(&clock_of[n], value, NULL, NULL);
	else if (!strcmp(word, "ppb"))
		clock_change(&clock_of[n], 0, &rate, NULL);
	else
		return -EINVAL;
	return length;
}

static const struct proc_ops clock_ops = { .proc_write = clock_order };

/* Ports. */

/* A frame that was sent: what is still to happen to it. */
struct later {
	struct list_head list;
	struct sk_buff *skb;
	ktime_t due;
	s64 stamp;		/* reported then, unless */
	bool lost;
	bool holds_place;
};

struct port {
	struct net_device *dev, *peer;
	struct hwtstamp_config setting;
	struct hrtimer timer;
	struct list_head later;
	spinlock_t lock;
	bool taken;
	u8 number;
	u64 sent, skipped, lost, unstamped, stamps, events;
};

static struct net_device *devices[PORTS];

static int fault(const struct port *p, int value)
{
	return ports >> p->number & 1 ? value : 0;
}

static struct clock *port_clock(const struct port *p)
{
	return &clock_of[clocks[p->number] & (CLOCKS - 1)];
}

static enum hrtimer_restart port_later(struct hrtimer *timer)
{
	struct port *p = container_of(timer, struct port, timer);
	struct later *l;
	unsigned long flags;

	for (;;) {
		spin_lock_irqsave(&p->lock, flags);
		l = list_first_entry_or_null(&p->later, struct later, list);
		if (l && ktime_after(l->due, ktime_get())) {
			hrtimer_start(timer, l->due, HRTIMER_MODE_ABS_SOFT);
			l = NULL;
		}
		if (l) {
			list_del(&l->list);
			if (l->holds_place)
				p->taken = false;
		}
		spin_unlock_irqrestore(&p->lock, flags);
		if (!l)
			return HRTIMER_NORESTART;
		if (l->stamp && !l->lost) {
			struct skb_shared_hwtstamps stamp = { .hwtstamp = ns_to_ktime(l->stamp) };

			skb_tstamp_tx(l->skb, &stamp);
		}
		dev_consume_skb_any(l->skb);
		kfree(l);
	}
}

/* Whether this frame is to have a hardware timestamp. */
static bool takes_stamp(struct port *p, const struct sk_buff *skb)
{
	unsigned long flags;
	bool takes = false;

	if (!(skb_shinfo(skb)->tx_flags & SKBTX_HW_TSTAMP) || p->setting.tx_type != HWTSTAMP_TX_ON || fault(p, no_tx))
		return false;
	spin_lock_irqsave(&p->lock, flags);
	if (fault(p, one) && p->taken)
		p->skipped++;
	else
		takes = p->taken = true;
	spin_unlock_irqrestore(&p->lock, flags);
	return takes;
}

static void receive(struct port *p, struct sk_buff *skb, const u8 *message, u64 raw)
{
	bool event = is_event(message), tagged = eth_type_vlan(((struct ethhdr *)skb->data)->h_proto);
	bool takes = p->setting.rx_filter == HWTSTAMP_FILTER_ALL || (p->setting.rx_filter == HWTSTAMP_FILTER_PTP_V2_EVENT && event);

	if (fault(p, no_rx) || (tagged && fault(p, vlan_blind)))
		takes = false;
	if (event && fault(p, rx_lose) && ++p->events % rx_lose == 0)
		takes = false;
	memset(skb_hwtstamps(skb), 0, sizeof(*skb_hwtstamps(skb)));
	skb_shinfo(skb)->tx_flags = 0;
	if (takes)
		skb_hwtstamps(skb)->hwtstamp = ns_to_ktime(clock_at(port_clock(p), raw));
	else if (event)
		p->unstamped++;
	skb->tstamp = 0;
	skb->protocol = eth_type_trans(skb, p->dev);
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	netif_rx(skb);
}

static netdev_tx_t port_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct port *p = netdev_priv(dev);
	struct sk_buff *copy = NULL;
	const u8 *message = NULL;
	struct later *l = NULL;
	unsigned long flags;
	bool stamped;
	struct record *r = NULL;
	u16 vlan;
	u64 before, raw;

	if (skb->ip_summed == CHECKSUM_PARTIAL)
		skb_checksum_help(skb);
	if (netif_running(p->peer))
		copy = skb_copy(skb, GFP_ATOMIC);
	p->sent++;
	stamped = takes_stamp(p, skb);
	if (stamped || fault(p, done_us))
		l = kzalloc(sizeof(*l), GFP_ATOMIC);
	if (!l && stamped)
		stamped = p->taken = false;
	if (stamped)
		skb_shinfo(skb)->tx_flags |= SKBTX_IN_PROGRESS;
	before = ktime_get_raw_ns();
	if (!fault(p, no_sw))
		skb_tx_timestamp(skb);
	raw = ktime_get_raw_ns();
	if (copy) {
		message = ptp_message(copy, &vlan);
		if (message)
			r = record(p->number, copy, message, vlan, raw);
		receive(netdev_priv(p->peer), copy, message, raw);
		if (r)
			r->span = ktime_get_raw_ns() - before;
	}
	if (!l) {
		dev_consume_skb_any(skb);
		return NETDEV_TX_OK;
	}
	l->skb = skb;
	if (stamped) {
		l->stamp = clock_at(port_clock(p), raw);
		l->holds_place = true;
		l->lost = fault(p, lose) && ++p->stamps % lose == 0;
		p->lost += l->lost;
		l->due = ktime_add_us(ktime_get(), fault(p, delay_us));
	} else {
		l->due = ktime_add_us(ktime_get(), fault(p, done_us));
	}
	spin_lock_irqsave(&p->lock, flags);
	list_add_tail(&l->list, &p->later);
	if (list_is_singular(&p->later))
		hrtimer_start(&p->timer, l->due, HRTIMER_MODE_ABS_SOFT);
	spin_unlock_irqrestore(&p->lock, flags);
	return NETDEV_TX_OK;
}

static int port_open(struct net_device *dev)
{
	struct port *p = netdev_priv(dev);

	if (netif_running(p->peer)) {
		netif_carrier_on(dev);
		netif_carrier_on(p->peer);
	}
	return 0;
}

static int port_stop(struct net_device *dev)
{
	struct port *p = netdev_priv(dev);

	if (fault(p, forgets))
		p->setting = (struct hwtstamp_config){ };
	netif_carrier_off(dev);
	netif_carrier_off(p->peer);
	return 0;
}

static int port_ioctl(struct net_device *dev, struct ifreq *request, int command)
{
	struct port *p = netdev_priv(dev);
	struct hwtstamp_config setting = p->setting;

	switch (command) {
	case SIOCSHWTSTAMP:
		if (copy_from_user(&setting, request->ifr_data, sizeof(setting)))
			return -EFAULT;
		if (setting.tx_type != HWTSTAMP_TX_OFF && setting.tx_type != HWTSTAMP_TX_ON)
			return -ERANGE;
		if (setting.rx_filter != HWTSTAMP_FILTER_NONE && setting.rx_filter != HWTSTAMP_FILTER_ALL)
			setting.rx_filter = HWTSTAMP_FILTER_PTP_V2_EVENT;
		p->setting = setting;
		fallthrough;
	case SIOCGHWTSTAMP:
		return copy_to_user(request->ifr_data, &setting, sizeof(setting)) ? -EFAULT : 0;
	default:
		return -EOPNOTSUPP;
	}
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
static int port_ts_info(struct net_device *dev, struct kernel_ethtool_ts_info *info)
#else
static int port_ts_info(struct net_device *dev, struct ethtool_ts_info *info)
#endif
{
	struct port *p = netdev_priv(dev);

	info->so_timestamping = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_TX_HARDWARE |
				SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE |
				(fault(p, no_sw) ? 0 : SOF_TIMESTAMPING_TX_SOFTWARE);
	info->phc_index = ptp_clock_index(port_clock(p)->ptp);
	info->tx_types = BIT(HWTSTAMP_TX_OFF) | BIT(HWTSTAMP_TX_ON);
	info->rx_filters = BIT(HWTSTAMP_FILTER_NONE) | BIT(HWTSTAMP_FILTER_PTP_V2_EVENT) | BIT(HWTSTAMP_FILTER_ALL);
	return 0;
}

static const char counts[][ETH_GSTRING_LEN] = { "sent", "tx_hwtstamp_skipped", "tx_hwtstamp_lost", "rx_events_unstamped" };
static int port_counts(struct net_device *dev, int set) { return set == ETH_SS_STATS ? ARRAY_SIZE(counts) : -EOPNOTSUPP; }
static void port_names(struct net_device *dev, u32 set, u8 *to) { memcpy(to, counts, sizeof(counts)); }

static void port_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *to)
{
	struct port *p = netdev_priv(dev);

	to[0] = p->sent;
	to[1] = p->skipped;
	to[2] = p->lost;
	to[3] = p->unstamped;
}

static const struct net_device_ops port_ops = {
	.ndo_open = port_open, .ndo_stop = port_stop, .ndo_start_xmit = port_xmit, .ndo_eth_ioctl = port_ioctl,
	.ndo_set_mac_address = eth_mac_addr, .ndo_validate_addr = eth_validate_addr,
};

static const struct ethtool_ops port_ethtool = {
	.get_ts_info = port_ts_info, .get_link = ethtool_op_get_link,
	.get_sset_count = port_counts, .get_strings = port_names, .get_ethtool_stats = port_stats,
};

static void port_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &port_ops;
	dev->ethtool_ops = &port_ethtool;
	netif_carrier_off(dev);
}

static int port_make(int n)
{
	char name[] = { 'c', 'a', 'r', 'd', '0' + n, 0 };
	struct net_device *dev = alloc_netdev(sizeof(struct port), name, NET_NAME_ENUM, port_setup);
	struct port *p;

	if (!dev)
		return -ENOMEM;
	eth_hw_addr_random(dev);
	p = netdev_priv(dev);
	p->dev = dev;
	p->number = n;
	spin_lock_init(&p->lock);
	INIT_LIST_HEAD(&p->later);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	hrtimer_setup(&p->timer, port_later, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
#else
	hrtimer_init(&p->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	p->timer.function = port_later;
#endif
	devices[n] = dev;
	return 0;
}

/* The former device stays in memory: the other end of its cable may still look at it. */
static int port_remake(int n, bool with_clock)
{
	struct clock *c = &clock_of[clocks[n] & (CLOCKS - 1)];
	int error = 0;

	unregister_netdev(devices[n]);
	if (with_clock) {
		ptp_clock_unregister(c->ptp);
		error = clock_start(c - clock_of);
	}
	error = error ?: port_make(n);
	if (error)
		return error;
	((struct port *)netdev_priv(devices[n]))->peer = devices[n ^ 1];
	((struct port *)netdev_priv(devices[n ^ 1]))->peer = devices[n];
	return register_netdev(devices[n]);
}

static int __init testcard_init(void)
{
	struct proc_dir_entry *folder = proc_mkdir("testcard", NULL);
	int n, error = 0;

	records = vzalloc(array_size(RECORDS, sizeof(*records)));
	if (!records || !folder)
		return -ENOMEM;
	for (n = 0; !error && n < CLOCKS; n++)
		error = clock_start(n);
	for (n = 0; !error && n < PORTS; n++)
		error = port_make(n);
	for (n = 0; !error && n < PORTS; n++) {
		struct port *p = netdev_priv(devices[n]);

		p->peer = devices[n ^ 1];
	}
	for (n = 0; !error && n < PORTS; n++)
		error = register_netdev(devices[n]);
	proc_create("wire", 0600, folder, &wire_ops);
	proc_create_single("clocks", 0400, folder, clocks_show);
	proc_create("clock", 0200, folder, &clock_ops);
	return error;
}
module_init(testcard_init);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("A network card with hardware timestamps and faults, for tests");
