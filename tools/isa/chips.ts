/** A GPU for which there is a compiler, and what has its driver believe that it is there. */
export interface Chip {
  readonly title: string;
  /** The library of Mesa's driver is `libvulkan_DRIVER.so`. */
  readonly driver: 'radeon' | 'nouveau' | 'intel' | 'asahi' | 'freedreno';
  readonly env: Readonly<Record<string, string>>;
}

const amd = (name: string, title: string): Chip => ({ title, driver: 'radeon', env: { RADV_FORCE_FAMILY: name } });

const nvidia = (chipset: string, device: string, title: string): Chip => ({
  title,
  driver: 'nouveau',
  env: {
    NOUVEAU_CHIPSET: chipset,
    NVK_I_WANT_A_BROKEN_VULKAN_DRIVER: '1',
    ISA_VENDOR: '10de',
    ISA_DEVICE: device,
    ISA_NAME: title,
  },
});

/** @param topology slices, subslices and execution units, made up */
const intel = (device: string, topology: string, title: string, hasOwnMemory: boolean): Chip => ({
  title,
  driver: 'intel',
  env: {
    INTEL_SHIM_DEVICE: device,
    INTEL_SHIM_TOPOLOGY: topology,
    ISA_VENDOR: '8086',
    ...(hasOwnMemory ? { INTEL_SHIM_LOCAL: '1' } : {}),
  },
});

/** By the names that `--chip` takes. AMD's need nothing but Mesa of the system; the others a folder of drivers. */
export const CHIPS: Readonly<Record<string, Chip>> = {
  navi31: amd('navi31', 'RDNA 3, RX 7900'),
  navi21: amd('navi21', 'RDNA 2, RX 6800'),
  vega10: amd('vega10', 'GCN 5, RX Vega'),
  turing: nvidia('164', '1e87', 'RTX 2080'),
  a100: nvidia('170', '20b0', 'A100'),
  ampere: nvidia('172', '2204', 'RTX 3090'),
  ada: nvidia('192', '2684', 'RTX 4090'),
  hopper: nvidia('180', '2330', 'H100'),
  blackwell: nvidia('1b2', '2b85', 'RTX 5090'),
  tigerlake: intel('9a49', '1,6,16', 'Xe-LP', false),
  arc: intel('56a0', '1,32,16', 'Arc A770', true),
  battlemage: intel('e20b', '1,20,8', 'Arc B580', true),
  lunarlake: intel('6420', '1,8,8', 'Xe2', false),
  apple: { title: 'M1', driver: 'asahi', env: { ISA_VENDOR: '106b', ISA_NAME: 'Apple M1' } },
  adreno740: {
    title: 'Adreno 740',
    driver: 'freedreno',
    env: { FD_GPU_ID: '740', ISA_VENDOR: '5143', ISA_NAME: 'Adreno 740' },
  },
};
