//! What is simulated.

use ptpproxy::core::Settings;

use super::client::ClientModel;
use super::frame::Way;
use super::link::Link;
use super::machine::MachineModel;
use super::master::MasterModel;
use super::mode::Mode;
use super::port::PortModel;

/// Something that happens at a given time.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a scenario has few of them, and copies them"
)]
pub enum Action {
    /// CLOCK_REALTIME of every gateway is set forward by this.
    StepLocal(i64),
    /// This clock of every gateway's cards is set forward by this.
    StepCard(usize, i64),
    /// This clock of every gateway's cards runs at this rate.
    SlewCard(usize, f64),
    /// CLOCK_REALTIME of every gateway runs at this rate.
    SlewLocal(f64),
    /// The time of this master is set forward by this.
    StepMaster(usize, i64),
    /// The time of this master stands still.
    FreezeMaster(usize),
    /// This master signs its Delay_Resp from now on, or no longer.
    SignAnswers(usize, bool),
    /// Every gateway's process stops for this long.
    Stop(u64),
    /// The ports behave like this from now on: up, then down.
    Ports(PortModel, PortModel),
}

/// A network, its faults, and what happens in it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Of everything random.
    pub seed: u64,
    /// Of each gateway.
    pub settings: Settings,
    /// Gateways between the two segments.
    pub gateways: usize,
    /// Of each gateway.
    pub machine: MachineModel,
    /// The ports toward the grandmaster.
    pub up_port: PortModel,
    /// The ports toward the clients.
    pub down_port: PortModel,
    /// The segment above.
    pub up_link: Link,
    /// The segment below.
    pub down_link: Link,
    /// Who sends to whom.
    pub mode: Mode,
    /// Ways of the messages; client n goes by way n modulo their number.
    pub ways: Vec<Way>,
    /// The grandmasters.
    pub masters: Vec<MasterModel>,
    /// The clients below.
    pub clients: ClientModel,
    /// Clients above; each sends eight Delay_Req a second.
    pub foreign: u32,
    /// What happens, and when.
    pub script: Vec<(u64, Action)>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: 1,
            settings: Settings::default(),
            gateways: 1,
            machine: MachineModel::default(),
            up_port: PortModel::default(),
            down_port: PortModel::default(),
            up_link: Link::default(),
            down_link: Link::default(),
            mode: Mode::Multicast,
            ways: vec![Way::ETHERNET],
            masters: vec![MasterModel::default()],
            clients: ClientModel::default(),
            foreign: 0,
            script: Vec::new(),
        }
    }
}
